// Whether a group has only this user as a member, as the groups that many systems make for each user: then no other user can
// write files that are writable for the group. Asked only for such files.
import { runSystemProgram } from "./system_program.ts";

const known = new Map<number, boolean>();

/** True if the group is this user's primary group, has the user's name and no other member. */
export function isPrivateGroup(groupId: number): boolean {
  let answer = known.get(groupId);
  if (answer === undefined) known.set(groupId, answer = ask(groupId));
  return answer;
}

function ask(groupId: number): boolean {
  if (groupId !== Deno.gid()) return false;
  // group(5): name, password, number, members; passwd(5): name, password, user, group, ...
  const [groupName, , , members = ""] = entry("group", groupId);
  const [userName, , , primary] = entry("passwd", Deno.uid() ?? -1);
  return userName !== undefined && userName !== "" && groupName === userName && primary === String(groupId) &&
    members.split(",").every((member) => member === "" || member === userName);
}

function entry(database: "group" | "passwd", id: number): string[] {
  return (runSystemProgram("getent", [database, String(id)]) ?? "").trimEnd().split(":");
}
