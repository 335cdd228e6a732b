// A real Python runs the script that a definition has in %test.
import assert from "node:assert/strict";
import { renderDefinition } from "../../src/apptainer/definition.ts";
import { parseBaseImage } from "../../src/apptainer/base_image.ts";
import { testNeeding } from "../support/needs.ts";
import { writeTree } from "../support/tree.ts";

testNeeding(["python3"], "a module that cannot be imported is reported with the cause", async () => {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-definition-" });
  try {
    const info = "tool-1.0.dist-info";
    await writeTree(directory, {
      "tool.py":
        'try:\n    import gone_library\nexcept ImportError as error:\n    raise RuntimeError("\\n  cannot load") from error\n',
      [`${info}/METADATA`]: "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n",
      [`${info}/RECORD`]: `tool.py,,\n${info}/METADATA,,\n`,
    });
    const definition = renderDefinition({
      base: parseBaseImage("python:{version}", "3.11", {}),
      venvName: "env",
      pythonVersion: "3.11.2",
      // The prefix of the system's Python.
      containerPath: "/usr",
      archive: "/a.tar",
      requirements: "/r.txt",
      postLines: [],
      packages: [{ name: "tool", version: "1.0", requested: true, editable: false, contentHash: "x" }],
      inputs: "",
      version: "",
    });
    const script = /<<'END'\n([^]*?)\nEND\n/.exec(definition)![1]!;
    const { code, stdout, stderr } = await new Deno.Command("/usr/bin/python3", {
      args: ["-c", script],
      env: { PYTHONPATH: directory },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(
      new TextDecoder().decode(stdout),
      "euler-files: cannot import tool: RuntimeError: cannot load, because of ModuleNotFoundError: No module named 'gone_library'\n",
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
