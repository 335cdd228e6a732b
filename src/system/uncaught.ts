// Errors that no code waits for: a promise that is not awaited, a timer, an end that never comes. By default the runtime prints them
// and ends the process, and a shell that evaluates its empty output goes on as if all were well.

/**
 * Calls `onUncaught` with each error that nothing catches, instead of ending the process, and once with an error of its own
 * when nothing is left that could still happen.
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
