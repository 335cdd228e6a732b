// Names of ours in somebody's tree.

/** A directory at the root of a tree for what is unfinished: half-written files, and which parts of large ones are there. No part of any tree. */
export const UNFINISHED = ".euler-files-partial";
