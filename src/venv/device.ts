// Which file system a path is on: uv can link files from its cache only if both are on the same one.

/** The device a path is or would be on: that of its nearest existing parent. */
export async function deviceOf(path: string): Promise<number | undefined> {
  for (let existing = path; existing !== ""; existing = existing.slice(0, existing.lastIndexOf("/"))) {
    const info = await Deno.stat(existing).catch(() => undefined);
    if (info !== undefined) return info.dev;
  }
  return undefined;
}
