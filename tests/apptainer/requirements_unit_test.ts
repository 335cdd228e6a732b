// What is recorded of an image's packages and settings can be read back.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { parseBaseImage } from "../../src/apptainer/base_image.ts";
import { DEFINITION_REVISION, readDefinition, renderDefinition } from "../../src/apptainer/definition.ts";
import { readRequirements, renderRequirements } from "../../src/apptainer/requirements.ts";

Deno.test("packages of an index, of an address and linked ones are recorded as uv takes them, without passwords", () => {
  const common = { requested: true, editable: false, contentHash: "x" };
  const text = renderRequirements({ name: "env", pythonVersion: "3.11.2", madeBy: "uv" }, [
    { ...common, name: "torch", version: "2.4.0+cu121" },
    { ...common, name: "tool", version: "1", reference: "git+https://me:secret@host/tool.git@abc#subdirectory=x" },
    { ...common, name: "mine", version: "1", reference: "file:///home/me/mine", editable: true },
  ]);
  assert.deepEqual(text.split("\n").slice(2), [
    "torch==2.4.0+cu121",
    "tool @ git+https://***@host/tool.git@abc#subdirectory=x",
    "-e file:///home/me/mine # mine",
    "",
  ]);
  const { python, packages } = readRequirements(text);
  assert.equal(python, "3.11.2");
  assert.deepEqual(Object.fromEntries(packages), {
    torch: "2.4.0+cu121",
    tool: "git+https://***@host/tool.git@abc#subdirectory=x",
    mine: "file:///home/me/mine (link)",
  });
});

Deno.test("base image, path and lines of %post are read back from a definition", () => {
  const base = parseBaseImage("/images/python-{version}.sif", "3.11", {});
  for (const postLines of [[], ["apt-get update", "", "  echo %environment"]]) {
    const text = renderDefinition({
      ...{ base, postLines, venvName: "env", pythonVersion: "3.11.2", containerPath: "/opt/venv", archive: "/a.tar" },
      ...{ packages: [], requirements: "/r.txt", inputs: "", version: "" },
    });
    assert.deepEqual(readDefinition(text), {
      from: "/images/python-3.11.sif",
      containerPath: "/opt/venv",
      postLines: postLines.map((line) => line.trim()).join("\n"),
    });
  }
});

Deno.test("a change of the definition that changes images raises its revision", () => {
  const text = renderDefinition({
    ...{ base: parseBaseImage("python:{version}", "3.11", {}), postLines: ["true"], venvName: "env" },
    ...{ pythonVersion: "3.11.2", containerPath: "/opt/venv", archive: "/a.tar", requirements: "/r.txt" },
    packages: [{ name: "tool", version: "1.0", requested: true, editable: false, contentHash: "x" }],
    ...{ inputs: "", version: "" },
  });
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  // If the text changed: raise DEFINITION_REVISION if images change with it, and write the new hash here.
  assert.deepEqual([DEFINITION_REVISION, hash], [2, "3d546759f621"]);
});
