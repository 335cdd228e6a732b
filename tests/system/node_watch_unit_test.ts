// The nodes of a step that say nothing any more.
import assert from "node:assert/strict";
import { LOOKS } from "../../src/system/silence.ts";
import { heartbeatSeconds, NodeWatch, patienceIn } from "../../src/slurm/node_watch.ts";

const PATIENCE = { starting: 50, working: 10 };

function look(watch: NodeWatch, times: number): string {
  return Array.from({ length: times }, () => watch.look()).at(-1)!;
}

Deno.test("a node that was silent for long enough is given up; one that works never is", () => {
  const watch = new NodeWatch(2, PATIENCE);
  watch.heard(0, "work");
  watch.heard(1, "work");
  for (let turn = 0; turn < 3 * LOOKS; turn++) {
    assert.equal(watch.look(), "wait");
    watch.heard(1, "work");
  }
  // If srun ends now, the task of the first node has died, and does not hang.
  assert.deepEqual([...watch.silent()], []);
  watch.heard(1, "answer");
  assert.equal(watch.look(), "enough");
  assert.deepEqual([...watch.silent()], [[0, 10]]);
});

Deno.test("a node has more time for its start than for its work", () => {
  const watch = new NodeWatch(1, PATIENCE);
  watch.heard(0, "beginning");
  assert.equal(look(watch, 5 * LOOKS - 1), "wait");
  assert.equal(look(watch, 1), "enough");
  assert.deepEqual([...watch.silent()], [[0, 50]]);
});

Deno.test("when all nodes have answered srun has a moment to end by itself", () => {
  const watch = new NodeWatch(1, PATIENCE);
  watch.heard(0, "answer");
  assert.equal(look(watch, 1), "wait");
  assert.equal(look(watch, LOOKS), "enough");
  assert.deepEqual([...watch.silent()], []);
});

Deno.test("a node gives several signs of life in the time that it may be silent; 0 seconds turn the watch off", () => {
  const patience = patienceIn({});
  assert.ok(heartbeatSeconds(patience) * 2 < patience.working, JSON.stringify(patience));
  const none = patienceIn({ EULER_FILES_ANSWER_SECONDS: "0" });
  assert.equal(heartbeatSeconds(none), 0);
  assert.equal(new NodeWatch(1, none).lookSeconds, undefined);
});
