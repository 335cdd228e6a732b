// Ports of loopback for daemons that cannot choose one themselves.

/** Below those that the kernel gives to connections (ip_local_port_range), so that none of them takes one before the daemon does. */
const RANGE = { first: 10_000, count: 20_000 };

/** Port numbers that no program listens on. */
export function freePorts(count: number): number[] {
  const listeners: Deno.Listener[] = [];
  while (listeners.length < count) {
    const port = RANGE.first + Math.floor(Math.random() * RANGE.count);
    try {
      listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}
