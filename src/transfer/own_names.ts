// Names that euler-files uses inside users' directories.

/** A directory at the root of a tree for half-written files and the journals of large ones. Never part of the tree. */
export const UNFINISHED = ".euler-files-partial";
