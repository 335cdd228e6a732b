// The hints for failures of Apptainer that are known from clusters.
import assert from "node:assert/strict";
import { buildFailure } from "../../src/apptainer/build_failure.ts";

Deno.test("where no container can be started, a pack is proposed, and lines lose their colours", () => {
  const said = "\x1b[91mERROR  : Requesting capability set 0x1f while permitted capability set is 0x0f";
  const error = buildFailure("Cannot start the base image", "my env", [said, "\x1b[0m"]);
  assert.equal(error.kind, "tool");
  assert.deepEqual(error.lines, [said.slice(5)]);
  assert.match(error.hint ?? "", /`euler-files venv pack 'my env'`$/);
});

Deno.test("a full disk is no space", () => {
  const error = buildFailure("apptainer build failed", "env", ["FATAL: write /tmp/x: no space left on device"]);
  assert.equal(error.kind, "no-space");
  assert.match(error.hint ?? "", /TMPDIR/);
});
