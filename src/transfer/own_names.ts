// Names that euler-files uses inside users' directories.

/** A directory at the root of a tree for half-written files and journals. Listings leave out this name at every depth. */
export const PARTIAL_DIRECTORY = ".euler-files-partial";
