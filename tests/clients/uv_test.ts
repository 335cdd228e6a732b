// The real uv installs from its cache, offline, after each name that a transfer gives, replaces or removes there.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { servePackages } from "../support/package_index.ts";
import { testWithUv } from "../support/uv.ts";
import { requestFor, systemCalling, temporaryDirectory, testSystem } from "../transfer/trees.ts";
import { fillUvCache, findFaultsOfInstall } from "./uv_reader.ts";

/** Modules of a package, enough of them that half of it could be installed. */
function modules(name: string, version: string): Record<string, string> {
  const names = Array.from({ length: 5 }, (_, index) => `${name}_data/part${index}/text.txt`);
  return Object.fromEntries(names.map((path) => [path, `${version} `.repeat(1000)]));
}

for (const intent of ["stage-update", "push"] as const) {
  testWithUv(`${intent}: uv installs whole packages offline at each step`, async () => {
    await using directory = await temporaryDirectory("in memory");
    const packages: { name: string; version: string; files: Record<string, string> }[] = [];
    const add = (name: string, version: string) => packages.push({ name, version, files: modules(name, version) });
    add("alpha", "1.0");
    add("beta", "1.0");
    await using first = servePackages(packages);
    const index = first.url;
    const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
    const common = { index, target: `${directory.path}/installed` };
    await fillUvCache({ ...common, cache: home, packages: ["alpha", "beta"] });
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    const [from, to] = intent === "push" ? [scratch, home] : [home, scratch];
    first.add({ name: "alpha", version: "2.0", files: modules("alpha", "2.0") });
    await fillUvCache({ ...common, cache: from, packages: ["alpha", "beta"] });
    const faults = new Set<string>();
    const versions = new Set<string>();
    let looks = 0;
    const look = () => {
      looks++;
      const found = findFaultsOfInstall({ ...common, cache: to, packages: ["alpha", "beta"] }, versions);
      for (const fault of found) faults.add(fault);
    };
    look();
    const isChange = (name: string) => ["renameat2", "unlinkat", "linkat"].includes(name);
    const { system } = systemCalling(({ name, path, newPath }) =>
      isChange(name) && [path, newPath].some((one) => one.startsWith(`${to}/`)) ? { after: look } : undefined
    );
    const outcome = await transferTree(requestFor(from, to, { intent, record: manifest }), system);
    assert.equal(outcome.status, "complete");
    assert.deepEqual([...faults], []);
    assert.ok(looks > 3, `${looks}`);
    assert.deepEqual([...versions].toSorted(), ["alpha-1.0", "alpha-2.0", "beta-1.0"]);
  });
}
