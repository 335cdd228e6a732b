// The order in which names appear, which follows from the names alone.
import { equal } from "node:assert/strict";
import type { Entry } from "../../src/transfer/entry.ts";
import { phaseOf, PHASES, pointsElsewhere, unitOf } from "../../src/transfer/phases.ts";

function entry(path: string, more: Partial<Entry> = {}): [directory: string, entry: Entry] {
  const cut = path.lastIndexOf("/");
  const name = path.slice(cut + 1);
  return [path.slice(0, Math.max(0, cut)), { name, type: "file", sizeBytes: 100, linkTarget: "", ...more } as Entry];
}

Deno.test("contents come first, then new links, then new files that refer to others, then replaced ones", () => {
  const phases = {
    "hub/models--m/blobs/abc": "contents",
    "hub/models--m/refs/main": "pointers",
    "hub/models--m/refs/pr/1": "pointers",
    "hub/models--m/trees/abc.json": "pointers",
    "datasets/d/hash/data.arrow": "contents",
    "datasets/d/hash/dataset_info.json": "pointers",
    "lib/python3.11/site-packages/foo/__init__.py": "contents",
    "lib/python3.11/site-packages/foo-1.0.dist-info/RECORD": "pointers",
    "_cacache/content-v2/sha512/aa/bb/cc": "contents",
    "_cacache/index-v5/aa/bb/cc": "pointers",
    "archive-v0/abc/foo.py": "contents",
    "simple-v16/pypi/foo.rkyv": "pointers",
    "cache/download/example.org/m/@v/list": "pointers",
    "cache/download/example.org/m/@v/v1.zip": "contents",
    "numba/f.nbc": "contents",
    "numba/f.nbi": "pointers",
  };
  for (const [path, phase] of Object.entries(phases)) {
    const [directory, file] = entry(path);
    equal(phaseOf(directory, file, undefined), phase === "pointers" ? "new pointers" : phase, path);
    equal(phaseOf(directory, file, file), phase, path);
  }
  equal(PHASES.indexOf("new pointers") < PHASES.indexOf("pointers"), true);
});

Deno.test("a new link comes before a replaced one, and a large file counts as contents under any name", () => {
  const [directory, link] = entry("hub/models--m/snapshots/rev/config.json", {
    type: "link",
    linkTarget: "../../blobs/c",
  });
  equal(phaseOf(directory, link, undefined), "links");
  equal(phaseOf(directory, link, link), "pointers");
  equal(phaseOf(...entry("data.json", { sizeBytes: 2 ** 30 }), undefined), "contents");
});

Deno.test("a file that refers to others belongs to its directory, a reference in refs/ to the whole repository", () => {
  equal(unitOf("hub/models--m/refs", "main"), "hub/models--m");
  equal(unitOf("site-packages/foo-1.0.dist-info", "RECORD"), "site-packages");
  equal(unitOf("datasets/d/hash", "dataset_info.json"), "datasets/d/hash");
  equal(unitOf("", "index.json"), "");
  equal(pointsElsewhere("site-packages/foo-1.0.dist-info"), true);
  equal(pointsElsewhere("hub/models--m/snapshots/rev"), false);
});
