// Finds QR codes in pictures, away from the page's own thread. A classic worker: it takes its reader by importScripts,
// so that the page can give the addresses of both files, with the hash of their content in the name.
//
//   in  {reader, wasm}  the addresses, once        out  {ready: true}     or {failed: "why"}
//   in  {image}         an ImageData               out  {code: "…"}       empty when there is none

const OPTIONS = { formats: ["QRCode"], maxNumberOfSymbols: 1, tryHarder: true, tryRotate: false, textMode: "Plain" };

const load = async ({ reader, wasm }) => {
  importScripts(reader);
  await ZXingWASM.prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
  return { ready: true };
};

const read = async ({ image }) => {
  const [found] = await ZXingWASM.readBarcodes(image, OPTIONS);
  return { code: found?.isValid ? found.text : "" };
};

addEventListener("message", async ({ data }) => {
  try {
    postMessage(await (data.image ? read(data) : load(data)));
  } catch (error) {
    postMessage({ failed: String(error) });
  }
});
