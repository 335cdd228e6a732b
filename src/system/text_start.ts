// Reads text from a file, a device or a pipe that may never end.

/** The text, or its start: reading stops as soon as there are more than `mostBytes` bytes. */
export async function readTextStart(
  readable: ReadableStream<Uint8Array<ArrayBuffer>>,
  mostBytes: number,
): Promise<string> {
  let [text, sizeBytes] = ["", 0];
  const decoder = new TextDecoder();
  for await (const bytes of readable) {
    text += decoder.decode(bytes, { stream: true });
    sizeBytes += bytes.length;
    if (sizeBytes > mostBytes) return text;
  }
  return text + decoder.decode();
}
