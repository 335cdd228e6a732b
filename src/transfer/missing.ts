// Why a file of the source did not arrive on the receiving side.

/**
 * Why a name did not arrive. `vanished`: deleted at the source; `refused`: its permissions there forbid reading, or the
 * followed link to it leads nowhere now; `changing`: another program wrote to it during each attempt; `failed`: anything else.
 */
export type MissingCause = "vanished" | "refused" | "changing" | "failed";

/** The reason given for a file that changed during each attempt. */
export const CHANGING_REASON = "it changed while it was copied";
