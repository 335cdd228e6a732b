// A world with real environments that the real uv made from an index on loopback.
import assert from "node:assert/strict";
import { servePackages } from "./package_index.ts";
import { giveUv } from "./uv.ts";
import { makeWorld, type RunResult, type World } from "./world.ts";

/** What {@linkcode makeVenvWorld} makes. */
export interface VenvWorld extends AsyncDisposable {
  readonly world: World;
  run(...args: string[]): Promise<RunResult>;
}

/** A world with environments (a and b if none are named), each with one package from an index on loopback. */
export async function makeVenvWorld(names: readonly string[] = ["a", "b"]): Promise<VenvWorld> {
  const index = servePackages([{ name: "alpha", version: "1.0" }]);
  const world = await makeWorld();
  const env = {
    ...await giveUv(world),
    VENV_DIR: world.path("home/venvs"),
    UV_DEFAULT_INDEX: index.url,
    HF_TOKEN: "secret",
  };
  const run = (...args: string[]) => world.run(args, { env });
  for (const name of names) {
    const made = await run("venv", "install", name, "alpha");
    assert.equal(made.code, 0, made.stderr);
  }
  return {
    world,
    run,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await index[Symbol.asyncDispose]();
    },
  };
}
