// Solves a challenge in a thread of its own, so that the page stays quick. See apps/ticketing/challenges.py.
//
//   worker.postMessage({ seed: "32 hex digits", hardness: 36000, pieces: 16 })
//   -> { done: 3, hashes: 71234, ms: 45 }      after each piece
//   -> { answer: "000a1f3.0004c02.…" }         when all are solved
//
// SHA-256 (FIPS 180-4) over one block: WebCrypto answers each hash by a promise, which takes longer than the hash.

"use strict";

const K = new Uint32Array(64);
const START = new Uint32Array(8);
const ROUND = new Uint32Array(64);
// Four hex digits in ASCII, of every number of 16 bits.
const DIGITS = new Uint32Array(65536);

// The constants are the fractions of the square and cube roots of the first primes.
const prepare = () => {
  const fraction = (root) => ((root - Math.floor(root)) * 4294967296) >>> 0;
  const primes = [];
  for (let n = 2; primes.length < 64; n += 1) {
    if (primes.every((prime) => n % prime)) primes.push(n);
  }
  primes.forEach((prime, index) => (K[index] = fraction(Math.cbrt(prime))));
  primes.slice(0, 8).forEach((prime, index) => (START[index] = fraction(Math.sqrt(prime))));
  const code = (digit) => "0123456789abcdef".charCodeAt(digit);
  for (let n = 0; n < 65536; n += 1) {
    DIGITS[n] = (code(n >>> 12) << 24) | (code((n >>> 8) & 15) << 16) | (code((n >>> 4) & 15) << 8) | code(n & 15);
  }
};

// The first word of the hash of the block whose words 0 to 15 stand in ROUND.
const firstWord = () => {
  for (let i = 16; i < 64; i += 1) {
    const x = ROUND[i - 15];
    const y = ROUND[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    ROUND[i] = (ROUND[i - 16] + s0 + ROUND[i - 7] + s1) | 0;
  }
  let a = START[0] | 0;
  let b = START[1] | 0;
  let c = START[2] | 0;
  let d = START[3] | 0;
  let e = START[4] | 0;
  let f = START[5] | 0;
  let g = START[6] | 0;
  let h = START[7] | 0;
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const one = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + ROUND[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  return (a + START[0]) >>> 0;
};

const solve = ({ seed, hardness, pieces }) => {
  const words = [0, 1, 2, 3, 4, 5, 6, 7].map((word) =>
    [0, 1, 2, 3].reduce((sum, byte) => (sum << 8) | seed.charCodeAt(word * 4 + byte), 0),
  );
  const enough = 4294967296 / hardness;
  const begun = performance.now();
  const answer = [];
  let hashes = 0;
  for (let piece = 0; piece < pieces; piece += 1) {
    let counter = 0;
    for (; ; counter += 1) {
      ROUND.set(words);
      ROUND[8] = DIGITS[(piece << 12) | (counter >>> 16)];
      ROUND[9] = DIGITS[counter & 65535];
      ROUND[10] = 0x80000000;
      ROUND.fill(0, 11, 15);
      ROUND[15] = 320; // bits: 40 characters
      if (firstWord() < enough) break;
    }
    hashes += counter + 1;
    answer.push(counter.toString(16).padStart(7, "0"));
    self.postMessage({ done: piece + 1, hashes, ms: performance.now() - begun });
  }
  self.postMessage({ answer: answer.join(".") });
};

prepare();
self.onmessage = ({ data }) => solve(data);
