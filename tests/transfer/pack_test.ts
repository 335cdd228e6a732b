// A packed tree is equal to the original after it is unpacked.
import assert from "node:assert/strict";
import { CliError } from "../../src/errors/errors.ts";
import { packTree } from "../../src/transfer/pack.ts";
import { differences, makeNastyTree, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

testTrees("pack: tar unpacks exactly the tree that was packed, with any names", async () => {
  await using temporary = await temporaryDirectory();
  const [root, to, archive] = [`${temporary.path}/from`, `${temporary.path}/to`, `${temporary.path}/packed.tar`];
  await shell(`mkdir ${root} ${to}`);
  await makeNastyTree(root);
  // tar leaves sockets out.
  await shell(
    `rm ${root}/socket; mkdir ${root}/many; (cd ${root}/many; seq 2000 | xargs touch); head -c 4096 /dev/zero >${root}/zeros`,
  );
  const packed = await packTree({ root, archive }, testSystem());
  assert.equal(packed.archiveBytes, (await Deno.stat(archive)).size);
  await shell(`tar -xpf ${archive} -C ${to} --warning=no-timestamp --delay-directory-restore`);
  assert.equal(await differences(root, to), "");
  assert.equal(await shell(`ls ${temporary.path}`), "from\npacked.tar\nto\n");
});

Deno.test("pack: a directory that does not exist is an error, and no archive is left", async () => {
  await using temporary = await temporaryDirectory();
  const request = { root: `${temporary.path}/none`, archive: `${temporary.path}/packed.tar` };
  await assert.rejects(packTree(request, testSystem()), CliError);
  assert.equal(await shell(`ls ${temporary.path}`), "");
});
