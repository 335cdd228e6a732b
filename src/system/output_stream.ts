// Standard output and standard error: all of a text is written, or we know that it wasn't.

/** One stream to people or programs. */
export interface OutputStream {
  readonly isTerminal: boolean;
  /** Columns of the terminal, 80 if that can't be known. */
  readonly columns: number;
  /** Writes all of the text. */
  write(text: string): void;
}

/** The stream; `onLost` is called with the error, and may throw, when the other end is closed or full. */
export function outputStream(stream: typeof Deno.stdout, onLost: (error: unknown) => void): OutputStream {
  return {
    isTerminal: stream.isTerminal(),
    get columns() {
      try {
        // Terminals that nobody told their size (a serial line, `script`) have none.
        return Deno.consoleSize().columns || 80;
      } catch {
        return 80;
      }
    },
    write(text: string): void {
      try {
        for (const piece of pieces(new TextEncoder().encode(text))) writePiece(stream, piece);
      } catch (error) {
        onLost(error);
      }
    },
  };
}

// A program that shares a pipe with us may have made it non-blocking (Node does); a full one then refuses a write with "try
// again", and Deno doesn't say how much of it has been written. For two sorts of pieces that is known: whole lines that
// a pipe takes entirely or not at all (PIPE_BUF, pipe(7)); and less than the 1024 bytes which Rust's standard output keeps
// of a line that hasn't ended: an empty write sends them off. Standard error keeps nothing.
const WHOLE_LINES_BYTES = 4096;
const PART_OF_LINE_BYTES = 512;
const NEWLINE = 10;
const RETRY_MILLISECONDS = 10;

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const window = bytes.subarray(start, start + WHOLE_LINES_BYTES);
    const piece = window.subarray(0, window.lastIndexOf(NEWLINE) + 1 || PART_OF_LINE_BYTES);
    yield piece;
    start += piece.length;
  }
}

function writePiece(stream: typeof Deno.stdout, piece: Uint8Array): void {
  for (let rest = piece;;) {
    try {
      stream.writeSync(rest);
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      if (stream === Deno.stdout && piece.at(-1) !== NEWLINE) rest = new Uint8Array();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MILLISECONDS);
    }
  }
}
