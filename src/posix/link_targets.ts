// Where a symbolic link leads, decided from its text alone. Pure.

/**
 * Whether a link in `directory` leads out of the tree below `boundary`, both relative to the root. `target` is the link's shown
 * target; absolute paths to `shown` or below lead into the tree.
 */
export function leadsOut(
  { directory, boundary, target, shown }: {
    readonly directory: string;
    readonly boundary: string;
    readonly target: string;
    readonly shown: string;
  },
): boolean {
  if (target.startsWith("/")) {
    const path = target.includes("/.") ? normalize(target) : target;
    return path !== shown && !path.startsWith(`${shown}/`);
  }
  if (!target.includes("..")) return false;
  let depth = depthBelow(boundary, directory);
  for (const part of target.split("/")) {
    if (part === "..") depth--;
    else if (part !== "" && part !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

function depthBelow(boundary: string, directory: string): number {
  const rest = boundary === "" ? directory : directory.slice(boundary.length + 1);
  return rest === "" ? 0 : rest.split("/").length;
}

/** An absolute path without `.`, `..` and empty parts. */
function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
