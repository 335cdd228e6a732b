// The frame around the statements that a shell evaluates: opened before the work begins, closed when all statements are known.
// If the process dies in between (SIGKILL, out of memory), a quote is left open, and every shell reports an error for it.

/** Opens the frame: a no-op whose argument is an unclosed quoted word. Valid in POSIX shells, fish and tcsh. */
export const FRAME_START = ": 'incomplete until this quote ends\n";

/** Closes the quoted word; the statements follow. */
export const FRAME_END = "complete';\n";

/** A last statement that fails in every shell: eval hides the exit code of the command whose output it evaluates. */
export const FAILING_STATEMENT = "false;\n";
