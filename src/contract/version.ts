// The version of this program, defined only here.

/** The version of euler-files, by semantic versioning. */
export const VERSION = "2.0.0";
