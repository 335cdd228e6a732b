// Trees of files, written and read as plain objects.

/**
 * One entry: the text or bytes of a file, or a link, a directory (for one without files), or a file with further
 * properties.
 */
export type Entry =
  | string
  | Uint8Array
  | { readonly link: string }
  | { readonly directory: true; readonly mode?: number }
  | { readonly file: string | Uint8Array; readonly mode?: number; readonly mtime?: Date };

/** Entries by their path relative to the tree; parent directories are made. */
export type Tree = Readonly<Record<string, Entry>>;

/** Writes a tree below a directory, which is made if it does not exist. */
export async function writeTree(directory: string, tree: Tree): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  for (const [relative, entry] of Object.entries(tree)) {
    const path = `${directory}/${relative}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (typeof entry === "string" || entry instanceof Uint8Array) await writeContent(path, entry);
    else if ("link" in entry) await Deno.symlink(entry.link, path);
    else if ("directory" in entry) await Deno.mkdir(path, { recursive: true });
    else await writeContent(path, entry.file);
    if (typeof entry === "object" && "mode" in entry && entry.mode !== undefined) await Deno.chmod(path, entry.mode);
    if (typeof entry === "object" && "mtime" in entry && entry.mtime) await Deno.utime(path, entry.mtime, entry.mtime);
  }
}

/**
 * The files and links below a directory: the text of a file, `→ target` for a link; `{}` if the directory does not
 * exist.
 */
export async function readTree(directory: string, relative = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  try {
    for await (const entry of Deno.readDir(`${directory}/${relative}`)) {
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory) Object.assign(found, await readTree(directory, path));
      else if (entry.isSymlink) found[path] = `→ ${await Deno.readLink(`${directory}/${path}`)}`;
      else found[path] = await Deno.readTextFile(`${directory}/${path}`);
    }
  } catch (error) {
    if (relative !== "" || !(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

async function writeContent(path: string, content: string | Uint8Array): Promise<void> {
  await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
}
