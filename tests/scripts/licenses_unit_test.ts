// LICENSES must match what deno.lock says of the program, so that no licence is missing after a dependency has changed.
import { deepEqual, ok, throws } from "node:assert/strict";
import { PROJECT_DIRECTORY } from "../../scripts/bundle.ts";
import { heading, listPackages, readContents } from "../../scripts/licenses.ts";

Deno.test("LICENSES has the text of each package that the executable contains, and of Deno, in the locked versions", async () => {
  const { packages, deno } = await readContents();
  const text = await Deno.readTextFile(`${PROJECT_DIRECTORY}/LICENSES`);
  const [line] = heading("").split("\n");
  const [, ...parts] = text.split(`${line}\n`);
  const names = parts.filter((_, index) => index % 2 === 0).map((name) => name.trim());
  deepEqual(names, [`deno@${deno}`, ...packages], "run `scripts/deno task licenses`");
  for (const [index, name] of names.entries()) ok(parts[index * 2 + 1]!.length > 400, name);
  ok(packages.some((name) => name.startsWith("valibot@")) && !packages.some((name) => name.startsWith("fast-check@")));
});

Deno.test("a package is listed with all that it needs, one that only tests import is not", () => {
  const lock = {
    specifiers: { "npm:a@1": "1.0.0_peer@2.0.0", "npm:t@1": "1.0.0" },
    npm: {
      "a@1.0.0_peer@2.0.0": { dependencies: ["b", "peer"] },
      "b@1.0.0": { dependencies: ["c@2.0.0"], optionalDependencies: ["d"] },
      "c@1.0.0": {},
      "c@2.0.0": { dependencies: ["b"] },
      "d@1.0.0": {},
      "peer@2.0.0": {},
      "t@1.0.0": { dependencies: ["c"] },
    },
  };
  const imports = { a: "npm:a@1", t: "npm:t@1" };
  deepEqual(listPackages(['import a from "a";'], imports, lock), [
    "a@1.0.0",
    "b@1.0.0",
    "c@2.0.0",
    "d@1.0.0",
    "peer@2.0.0",
  ]);
  throws(() => listPackages(['await import("t")'], imports, lock), /2 packages for c/);
});
