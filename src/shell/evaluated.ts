// The frame around what a shell evaluates. It is opened before the work begins and closed when all statements are known. A
// process that dies in between (SIGKILL, no memory left) leaves a quote open, which no shell evaluates without an error.

/** Opens the frame: a no-op with a word that does not end. Valid in POSIX shells, fish and tcsh. */
export const FRAME_START = ": 'incomplete until this quote ends\n";

/** Ends the frame's word; statements follow. */
export const FRAME_END = "complete';\n";

/** Fails as a last statement in each of the shells: eval hides the exit code of the command it captured, but not this one. */
export const FAILING_STATEMENT = "false;\n";
