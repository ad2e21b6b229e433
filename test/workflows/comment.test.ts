import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { marker } from "../../plan/render/markdown.ts";

const SCRIPT = resolve(import.meta.dirname, "../../.github/scripts/comment");

interface Comment {
  id: number;
  body: string;
  user: { type: string };
}

let server: Server;
let folder: string;
let comments: Comment[];
let tokens: Set<string | undefined>;
let unreadable: boolean;

/** The three calls of the forge's API that the script makes. */
beforeEach(async () => {
  comments = [];
  tokens = new Set();
  unreadable = false;
  folder = mkdtempSync(join(tmpdir(), "comment-test-"));
  server = createServer(async (request, response) => {
    tokens.add(request.headers.authorization);
    const url = new URL(request.url ?? "", "http://forge");
    const text = (await request.toArray()).join("");
    const send = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value));
    const change = /^\/repos\/me\/it\/issues\/comments\/(\d+)$/.exec(url.pathname);
    const found = comments.find(({ id }) => id === Number(change?.[1]));
    if (request.method === "PATCH" && found) {
      found.body = JSON.parse(text).body;
      return send(200, found);
    }
    if (url.pathname !== "/repos/me/it/issues/7/comments") return send(404, {});
    if (request.method === "POST") {
      comments.push({ id: comments.length + 1, body: JSON.parse(text).body, user: { type: "Bot" } });
      return send(201, {});
    }
    if (unreadable) return send(403, {});
    const from = (Number(url.searchParams.get("page")) - 1) * 50;
    send(200, comments.slice(from, from + 50));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

function comment(plan: string, pullRequest = "7"): Promise<{ failed: boolean; reported: string }> {
  const file = join(folder, "plan.md");
  writeFileSync(file, plan);
  const env = {
    PATH: process.env.PATH,
    GITHUB_API_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    GITHUB_REPOSITORY: "me/it",
    GITHUB_TOKEN: "the-token",
    PULL_REQUEST: pullRequest,
  };
  return new Promise((done) =>
    execFile(SCRIPT, [file], { env }, (error, out, err) => done({ failed: error !== null, reported: out + err })),
  );
}
const bodies = () => comments.map(({ body }) => body);
const PROD = marker({ project: "gatehouse", stack: "prod" });
const STAGE = marker({ project: "gatehouse", stack: "stage" });

test("a plan is posted once, then updated in place, one comment for each stack", async () => {
  expect(await comment(`${PROD}\nfirst \`$(x)\`\n`)).toEqual({ failed: false, reported: "" });
  expect(bodies()).toEqual([`${PROD}\nfirst \`$(x)\`\n`]);
  await comment(`${PROD}\nsecond\n`);
  await comment(`${STAGE}\nother\n`);
  await comment(`${PROD}\nthird\n`);
  expect(bodies()).toEqual([`${PROD}\nthird\n`, `${STAGE}\nother\n`]);
  expect([...tokens]).toEqual(["token the-token"]);
});

test("a person's comment with the same marker is not changed, and one on a later page is found", async () => {
  const marked = (id: number, body: string, type: string) => ({ id, body, user: { type } });
  comments = Array.from({ length: 60 }, (_, at) => marked(at + 1, "talk", "User"));
  comments[0] = marked(1, `${PROD}\nmine`, "User");
  comments[55] = marked(56, `${PROD}\nold`, "Bot");
  await comment(`${PROD}\nnew\n`);
  expect(comments).toHaveLength(60);
  expect(comments[0]?.body).toMatch(/mine$/);
  expect(comments[55]?.body).toMatch(/new\n$/);
});

test("if the comments cannot be read, no second one is posted", async () => {
  await comment(`${PROD}\nfirst\n`);
  unreadable = true;
  expect(await comment(`${PROD}\nsecond\n`)).toMatchObject({ failed: true });
  expect(bodies()).toEqual([`${PROD}\nfirst\n`]);
});

test("an error of the forge fails the step", async () => {
  expect(await comment(`${PROD}\nplan\n`, "8")).toMatchObject({ failed: true });
  expect(comments).toEqual([]);
});
