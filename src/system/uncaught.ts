// Errors that no code handles: a rejected promise without a handler, a timer, a wait that can never end. By default the runtime
// prints them and ends the process, and a shell that evaluates the empty output continues as if nothing had failed.

/**
 * Calls `onUncaught` with each unhandled error instead of ending the process, and once with an error of its own when the event
 * loop is empty although the work has not ended.
 */
export function watchUncaught(onUncaught: (error: unknown) => void): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    onUncaught(event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    onUncaught(event.error);
  });
  const listener = (event: Event) => {
    globalThis.removeEventListener("beforeunload", listener);
    event.preventDefault();
    onUncaught(new Error("the work stopped before it was done"));
  };
  globalThis.addEventListener("beforeunload", listener);
}
