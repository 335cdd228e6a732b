// Why a name of the source is missing where files go.

/**
 * Why a name did not arrive. `vanished`: the source has it no more; `refused`: its permissions there forbid to read it,
 * or it is behind a followed link and out of reach; `changing`: another program wrote to it during each attempt; `failed`: anything else.
 */
export type MissingCause = "vanished" | "refused" | "changing" | "failed";

/** What is said of a file that changed during each attempt. */
export const CHANGING_REASON = "it changed while it was copied";
