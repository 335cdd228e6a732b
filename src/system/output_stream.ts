// Standard output and standard error: a text is written completely, or we know that it was not.

/** One output stream. */
export interface OutputStream {
  readonly isTerminal: boolean;
  /** Columns of the terminal, 80 if unknown. */
  readonly columns: number;
  /** Writes all of the text. */
  write(text: string): void;
}

/** Makes the stream. If the other end is closed or full, `onLost` is called with the error; it may throw. */
export function outputStream(stream: typeof Deno.stdout, onLost: (error: unknown) => void): OutputStream {
  return {
    isTerminal: stream.isTerminal(),
    get columns() {
      try {
        // A terminal whose size was never set (a serial line, `script`) has 0 columns.
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

// A program that shares a pipe with us may have made it non-blocking (Node does); a write to a full one fails with EAGAIN, and
// Deno does not tell how much of it was written. That is known only for two kinds of pieces: whole lines of at most PIPE_BUF,
// which a pipe takes entirely or not at all (pipe(7)); and parts of a line below the 1024 bytes that Rust's standard output
// buffers until the line ends: an empty write flushes them. Standard error buffers nothing.
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
