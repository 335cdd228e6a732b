// The versions of this program and of its JSON, defined only here.

/** The version of euler-files, by semantic versioning. */
export const VERSION = "2.0.0";

/** The version of JSON answers. It rises when a field is removed or gets another meaning; new fields leave it as it is. */
export const SCHEMA_VERSION = 2;
