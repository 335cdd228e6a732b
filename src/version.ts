// The one place that says which version this is.

/** The version of euler-files, by semantic versioning. */
export const VERSION = "2.0.0";
