// Reads a ticket's signed code on the phone itself, without network: who made it, and what it says.
//
//   const judge = verifier({ 1: "d75a98…" });       {key id: public key in hex}, as the server gives them
//   await judge("6BF0…")                            { verdict: "claim", ticket, version, keyId }
//                                                   { verdict: "unknown key" }    a key we do not hold: ask the server
//                                                   { verdict: "forged" }         not made by us
//                                                   { verdict: "cannot tell" }    no Ed25519 in this browser: ask the server
//
// A claim says nothing about the ticket now: it may be used, revoked, or replaced by a newer version. Never throws.
// The same answers as apps.ticketing.credentials.verify; tests/vectors/credentials.json holds both to them. 84 bytes:
//
//   format version (1) · key id (1) · ticket's public id (16) · credential version (2) · Ed25519 signature (64)

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const VALUES = new Map([...ALPHABET].map((character, value) => [character, value]));
const FORMAT = 1;
const BODY_BYTES = 20;
const CODE_LENGTH = 126;

const FORGED = Object.freeze({ verdict: "forged" });
const UNKNOWN_KEY = Object.freeze({ verdict: "unknown key" });
const CANNOT_TELL = Object.freeze({ verdict: "cannot tell" });

// Base45 (RFC 9285) of an even number of bytes; null for anything that the encoder does not write.
function decode(text) {
  const bytes = new Uint8Array((text.length / 3) * 2);
  for (let from = 0, to = 0; from < text.length; from += 3, to += 2) {
    const number =
      VALUES.get(text[from]) + 45 * VALUES.get(text[from + 1]) + 2025 * VALUES.get(text[from + 2]);
    if (!(number <= 0xffff)) return null; // too large, or not a number: a character outside the alphabet
    bytes[to] = number >> 8;
    bytes[to + 1] = number & 0xff;
  }
  return bytes;
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const uuid = (bytes) => hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");

function keyFromHex(text) {
  const pairs = /^([0-9a-f]{2}){32}$/i.test(text) ? text.match(/../g) : [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

export function verifier(publicKeys) {
  const held = new Map(Object.entries(publicKeys).map(([id, text]) => [Number(id), text]));
  const imported = new Map();

  const keyOf = (id) => {
    if (!imported.has(id)) {
      imported.set(id, crypto.subtle.importKey("raw", keyFromHex(held.get(id)), { name: "Ed25519" }, false, ["verify"]));
    }
    return imported.get(id);
  };

  return async function judge(code) {
    if (typeof code !== "string" || code.length !== CODE_LENGTH) return FORGED;
    const bytes = decode(code);
    if (!bytes || bytes[0] !== FORMAT) return FORGED;
    const keyId = bytes[1];
    if (!held.has(keyId)) return UNKNOWN_KEY;
    const body = bytes.subarray(0, BODY_BYTES);
    try {
      // Both fail where the browser knows no Ed25519, and crypto.subtle is missing on a page without HTTPS.
      const key = await keyOf(keyId);
      if (!(await crypto.subtle.verify({ name: "Ed25519" }, key, bytes.subarray(BODY_BYTES), body))) return FORGED;
    } catch {
      return CANNOT_TELL;
    }
    return { verdict: "claim", ticket: uuid(bytes.subarray(2, 18)), version: (bytes[18] << 8) | bytes[19], keyId };
  };
}
