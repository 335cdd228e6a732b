// Moves what a client wrote elsewhere into a cache that others read.

/** Moves each name in a directory, if it exists, into another one of the same file system. Lock files are left out. */
export async function moveNames(from: string, to: string): Promise<void> {
  if (!await Deno.stat(from).then(() => true, () => false)) return;
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    if (!name.endsWith(".lock")) await Deno.rename(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Moves each file below a directory to the same path below another one; files that exist there are replaced. */
export async function moveFiles(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await moveFiles(`${from}/${name}`, `${to}/${name}`);
    else await Deno.rename(`${from}/${name}`, `${to}/${name}`);
  }
}
