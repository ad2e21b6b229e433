// Every encoder against the real parser of its grammar: a value is read back unchanged, or the encoder refuses it. On a
// separate host, where these servers run with configurations that no platform uses.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as grammars from "../../../components/render/grammars.ts";
import { render } from "../../../components/render/render.ts";
import { IMAGE, Lab } from "../support/lab.ts";

const encoders = { ...grammars };
const {
  unit,
  unitWord,
  quadlet,
  quadletWord,
  envFile,
  postgresSetting,
  hbaName,
  sqlName,
  sqlText,
  valkeySetting,
  caddy,
} = encoders;
type Grammar = keyof typeof encoders;

/** Values that no grammar can represent. */
const NOWHERE = {
  "a line break, and what would be a line of its own": "a\nb = c",
  "a line break at the end": "a\n",
  "a carriage return": "a\rb",
  "a tab": "a\tb",
  "a NUL": "a\0b",
  "an escape sequence": "a\u001b[0m",
  "a DEL": "a\u007f",
  "a C1 next line": "a\u0085b",
  "half a surrogate pair": "a\ud83d",
  "a noncharacter": "a\uffff",
  "a noncharacter of another plane": "a\u{1fffe}b",
};

const VALUES: Record<string, string> = {
  ...NOWHERE,
  "a word": "journald",
  nothing: "",
  "two blanks inside": "two  words",
  "a blank at the start": " before",
  "a blank at the end": "after ",
  "only a blank": " ",
  "no-break spaces at the ends": "\u00a0a\u00a0",
  "an apostrophe": "it's",
  "one single quote": "'",
  "two single quotes": "a''b",
  "all in single quotes": "'all of it'",
  "double quotes inside": 'say "yes" now',
  "one double quote": '"',
  "two double quotes": 'a""b',
  "all in double quotes": '"all of it"',
  "typographic quotes": "„so“ ‚und‘ “thus” ‘and’ «là»",
  "backslashes that look like escapes": "C:\\new\\table\\x41\\101\\u0041\\s",
  "two backslashes inside": "a\\\\b",
  "a backslash at the end": "ends with \\",
  "two backslashes at the end": "ends with \\\\",
  "one backslash": "\\",
  "a backslash before a double quote": 'a\\"b',
  "two backslashes before a double quote": 'a\\\\"b',
  "a backslash before a single quote": "a\\'b",
  "a double quote at the end, after a backslash": 'a\\"',
  "a percent sign": "50%",
  specifiers: "%h %n %% %i",
  "a variable": "$HOME",
  "a variable inside": "to $HOME/x",
  "a variable in braces": `\${HOME}`,
  "a variable in braces inside": `to \${HOME}/x`,
  "two dollar signs": "a$$b",
  "a dollar sign at the end": "US$",
  "a command": "$(id) `id`",
  "a hash": "# no comment",
  "a hash inside": "a # b",
  "a semicolon": "; no comment",
  "only a semicolon": ";",
  "another statement": "a'; DROP ROLE b; --",
  "another identifier": 'a"; DROP ROLE b; --',
  "a variable of psql": ":HOME :'HOME' :\"HOME\"",
  "an opening brace": "{",
  "a closing brace": "a }",
  "a placeholder": "{env.HOME}",
  "a variable of a Caddyfile": "{$HOME}",
  "marks of the templates": "{{ a }} {% b %}",
  backticks: "`raw`",
  "equals signs": "=a=b=",
  "an assignment": "Environment=A=b",
  "a comma": "a,b,",
  brackets: "a[0] <b> (c)",
  "a heredoc": "<<EOF",
  "a file": "@file",
  "a pattern": "/.*",
  "a group": "+staff",
  "a flag": "--rm",
  wildcards: "* ? ~ !",
  "an umlaut": "Müller-Lüdenscheidt",
  Han: "漢字",
  "an emoji": "😀 👩‍👩‍👧",
  "a combining accent": "e\u0301 is not é",
  "right to left": "שלום \u202eabc\u202c",
  "a line separator": "a\u2028b",
  "a byte order mark": "\ufeffa",
  "10 kB": "0123456789".repeat(1000),
  "10 kB of what is escaped": "\\\"'$% ".repeat(1666).trim(),
  "63 bytes": "n".repeat(63),
  "64 bytes": "n".repeat(64),
  "63 characters of two bytes": "ü".repeat(63),
  ...Object.fromEntries(
    ["all", "sameuser", "samerole", "replication", "on", "off", "default", "true", "0", "007", "1e3", "NULL"]
      .concat(["none", "public", "user", "select", "import", "include", "infinity"])
      .map((word) => [`the word ${word}`, word]),
  ),
};

const BLANK_ENDS = [
  "a blank at the start",
  "a blank at the end",
  "only a blank",
  "no-break spaces at the ends",
  "a byte order mark",
];
const BACKSLASH_ENDS = ["a backslash at the end", "two backslashes at the end", "one backslash"];
const DOUBLE_QUOTE_ENDS = [
  "one double quote",
  "all in double quotes",
  "a double quote at the end, after a backslash",
  "a variable of psql",
];

/** Other values that an encoder refuses. */
const REFUSED: Record<Grammar, readonly string[]> = {
  unit: [...BLANK_ENDS, ...BACKSLASH_ENDS],
  quadlet: [...BLANK_ENDS, ...BACKSLASH_ENDS, ...DOUBLE_QUOTE_ENDS],
  unitWord: [],
  quadletWord: ["nothing"],
  envFile: [],
  postgresSetting: [],
  hbaName: ["a pattern"],
  sqlName: [
    "nothing",
    "10 kB",
    "10 kB of what is escaped",
    "64 bytes",
    "63 characters of two bytes",
    "the word none",
    "the word public",
  ],
  sqlText: [],
  valkeySetting: [],
  caddy: [
    "a command",
    "an opening brace",
    "a closing brace",
    "a placeholder",
    "a variable of a Caddyfile",
    "a variable in braces",
    "a variable in braces inside",
    "marks of the templates",
    "backticks",
  ],
};

/** An encoder's output for each value that it does not refuse. */
class Written {
  readonly values: Record<string, string> = {};
  readonly texts: string[] = [];

  constructor(encode: (value: string, index: number) => string) {
    for (const [name, value] of Object.entries(VALUES))
      try {
        this.texts.push(encode(value, this.texts.length));
        this.values[name] = value;
      } catch (refusal) {
        if (!(refusal as Error).message.includes(" cannot be written into ")) throw refusal;
      }
  }

  /** One line for each value. */
  lines(line: (text: string, index: number) => string): string {
    return this.texts.map((text, index) => `${line(text, index)}\n`).join("");
  }

  /** Numbered paths, with one file for each value. */
  files(path: (index: number) => string, content: (text: string, index: number) => string): Record<string, string> {
    return Object.fromEntries(this.texts.map((text, index) => [path(index), content(text, index)]));
  }

  /** Expects the values that were read, in the same order, to equal the given ones. */
  expect(read: readonly unknown[]): void {
    expect(read.length).toBe(this.texts.length);
    expect(Object.fromEntries(Object.keys(this.values).map((name, index) => [name, read[index]]))).toEqual(this.values);
  }

  /** The same for variables V0, V1... */
  expectVariables(read: Record<string, string>): void {
    this.expect(this.texts.map((_, index) => read[`V${index}`]));
  }
}

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.stocked("grammars", "2026.8.3");
  const services = ["postgresql.service", "postgresql@.service", "valkey-server.service", "caddy.service"];
  await lab.sh(`cd /etc/systemd/system && for unit in ${services.join(" ")}; do ln -s /dev/null $unit; done
    export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && apt-get -qq install --no-install-recommends \
      postgresql-17 valkey-server valkey-tools caddy podman crun netavark aardvark-dns catatonit
    podman pull -q ${IMAGE}:2026.8.3`);
});

afterAll(() => lab?.destroy());

async function write(files: Record<string, string>): Promise<void> {
  const named = Object.entries(files).map(([path, text]) => [path, Buffer.from(text).toString("base64")]);
  const script = named.map(([path, text]) => `base64 -d >${path} <<.\n${text}\n.\n`);
  await lab.sh(script.join(""));
}

/** The variables in a file such as /proc/PID/environ. */
async function environ(path: string): Promise<Record<string, string>> {
  const text = Buffer.from(await lab.sh(`base64 -w0 ${path}`), "base64").toString();
  return Object.fromEntries(text.split("\0").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]));
}

test.each(Object.keys(REFUSED) as Grammar[])("%s refuses exactly the values that it should", (grammar) => {
  const { values } = new Written(encoders[grammar]);
  const refused = Object.keys(VALUES).filter((name) => !(name in values));
  expect(refused.sort()).toEqual([...Object.keys(NOWHERE), ...REFUSED[grammar]].sort());
});

describe("units", () => {
  test("systemd reads a value in a unit unchanged", async () => {
    const written = new Written(unit);
    const name = (index: number) => `gate-${index}.service`;
    await write(
      written.files(
        (index) => `/run/systemd/system/${name(index)}`,
        (text) => `[Service]\nExecStart=/bin/true\nSyslogIdentifier=${text}\nStandardOutput=null\n`,
      ),
    );
    const shown = await lab.sh(
      `systemctl daemon-reload && systemctl show --all -p SyslogIdentifier ${written.texts.map((_, index) => name(index)).join(" ")}`,
    );
    const key = "SyslogIdentifier=";
    const lines = shown.split("\n").filter((line) => line.startsWith(key));
    written.expect(lines.map((line) => line.slice(key.length)));
  });

  test("a process gets variables from the words of a unit unchanged, including `$`", async () => {
    const written = new Written((value, index) => unitWord(`V${index}=${value}`));
    await write({
      "/run/systemd/system/gate-words.service": `[Service]
Type=oneshot
ExecStart=/bin/cp /proc/self/environ /run/gate.environ
Environment=${written.texts.join(" ")}
`,
    });
    await lab.sh("systemctl daemon-reload && systemctl start gate-words");
    written.expectVariables(await environ("/run/gate.environ"));
  });
});

describe("Podman", () => {
  const container = (lines: string) => `[Container]
Image=${IMAGE}:2026.8.3
Network=none
Entrypoint=python3
Exec=-c "import signal; signal.pause()"
${lines}`;

  /** Starts containers named `systemd-NAME` from Quadlets. */
  async function start(quadlets: Record<string, string>): Promise<void> {
    const files = Object.entries(quadlets).map(([name, text]) => [`/etc/containers/systemd/${name}.container`, text]);
    await write(Object.fromEntries(files));
    await lab.sh(`systemctl daemon-reload && systemctl start ${Object.keys(quadlets).join(" ")}`);
  }

  afterEach(() => lab.sh("podman kill --all"));

  test("a container gets a value of its Quadlet unchanged", async () => {
    const written = new Written(quadlet);
    const name = (index: number) => `gate-value-${index}`;
    await start(written.files(name, (text) => container(`HealthCmd=${text}\nHealthInterval=disable\n`)));
    const names = written.texts.map((_, index) => `systemd-${name(index)}`);
    const inspected = await lab.sh(`podman inspect -f '{{json .Config.Healthcheck}}' ${names.join(" ")}`);
    // Without a value the key is missing, and the word `none` has a special form.
    const reported = inspected.split("\n").map((line) => JSON.parse(line)?.Test ?? [""]);
    written.expect(reported.map((test) => (test[0] === "NONE" ? "none" : test.at(-1))));
  });

  test("a container gets variables and labels from the words of its Quadlet unchanged", async () => {
    // The operator's words, with quotes as Quadlet reads them.
    const word = (text: string) => `'${text.replace(/['\\]/g, "\\$&")}'`;
    const written = new Written((value, index) => quadlet(word(`V${index}=${value}`)));
    const words = written.texts.join(" ");
    await start({ "gate-container": container(`Environment=${words}\nLabel=${words}\n`) });
    const pid = await lab.sh("podman inspect -f '{{.State.Pid}}' systemd-gate-container");
    written.expectVariables(await environ(`/proc/${pid}/environ`));
    written.expectVariables(
      JSON.parse(await lab.sh("podman inspect -f '{{json .Config.Labels}}' systemd-gate-container")),
    );
  });

  test("a container gets the words of its command unchanged", async () => {
    const written = new Written(quadletWord);
    const command = ["-c", "import signal; signal.pause()"].map(quadletWord);
    await start({ "gate-command": container(`Exec=${[...command, ...written.texts].join(" ")}\n`) });
    const inspected = await lab.sh("podman inspect -f '{{json .Config.Cmd}}' systemd-gate-command");
    written.expect(JSON.parse(inspected).slice(command.length));
  });

  test("a container gets variables of an env file unchanged", async () => {
    const written = new Written(envFile);
    await write({ "/run/gate.env": written.lines((text, index) => `V${index}=${text}`) });
    written.expectVariables(
      JSON.parse(
        await lab.sh(`podman run --rm --network none --env-file /run/gate.env --entrypoint python3 ${IMAGE}:2026.8.3 \
          -c 'import json, os; print(json.dumps(dict(os.environ)))'`),
      ),
    );
  });
});

describe("PostgreSQL", () => {
  const CONFIG = "/etc/postgresql/17/main";
  // Without fsync, since the cluster is thrown away.
  const control = (action: string) =>
    lab.sh(`su postgres -c "/usr/lib/postgresql/17/bin/pg_ctl ${action} -w -D /var/lib/postgresql/17/main -l /tmp/gate.log \
      -o '-c config_file=${CONFIG}/postgresql.conf -c fsync=off'" >/dev/null || { cat /tmp/gate.log; exit 1; }`);
  const psql = "su postgres -c 'psql -XAtq -v ON_ERROR_STOP=1 -f /run/gate.sql'";
  // biome-ignore lint/suspicious/noExplicitAny: the test checks the result
  async function ask(sql: string): Promise<any> {
    await write({ "/run/gate.sql": sql });
    const answer = await lab.sh(psql);
    return answer && JSON.parse(answer);
  }

  beforeAll(() => control("start"));

  test("PostgreSQL reads text in SQL unchanged", async () => {
    const written = new Written(sqlText);
    const rows = written.texts.map((text, index) => `(${index}, ${text})`);
    for (const conforming of ["on", "off"])
      written.expect(
        await ask(`SET standard_conforming_strings = ${conforming};
          SELECT json_agg(v ORDER BY n) FROM (VALUES ${rows.join(", ")}) AS t (n, v)`),
      );
  });

  test("roles and databases have the given names and owners", async () => {
    const names = Object.values(new Written(sqlName).values);
    const databases = names.map((name) => ({ name, owner: name, clients: [] }));
    await ask(render("sql/roles.sql", { roles: names.map((name) => ({ name, connections: "7" })), databases }));
    const each = Object.fromEntries(names.map((name) => [name, name]));
    expect(
      await ask(
        "SELECT json_object_agg(datname, pg_get_userbyid(datdba)) FROM pg_database WHERE pg_get_userbyid(datdba) <> 'postgres'",
      ),
    ).toEqual(each);
    expect(
      await ask("SELECT json_object_agg(rolname, rolname) FROM pg_roles WHERE rolcanlogin AND rolname <> 'postgres'"),
    ).toEqual(each);
  });

  test("rules of pg_hba.conf match the given names, and nobody else", async () => {
    await ask("CREATE ROLE staff; CREATE ROLE stranger LOGIN IN ROLE staff; CREATE DATABASE stranger OWNER stranger;");
    const written = new Written(hbaName);
    const rules = written.lines((text) => `local ${text} stranger trust\nlocal stranger ${text} trust`);
    await write({ [`${CONFIG}/pg_hba.conf`]: `local all postgres peer\n${rules}` });
    const read: { error: string | null; database: string[]; user_name: string[] }[] = await ask(
      "SELECT json_agg(r ORDER BY line_number) FROM pg_hba_file_rules AS r WHERE line_number > 1",
    );
    expect(read.map(({ error }) => error).filter(Boolean)).toEqual([]);
    written.expect(read.filter((_, line) => line % 2 === 0).map(({ database }) => database.join()));
    written.expect(read.filter((_, line) => line % 2 === 1).map(({ user_name }) => user_name.join()));

    await control("restart");
    const login = (database: string, role: string) =>
      lab.try(`su postgres -c "psql -X -U '${role}' -d '${database}' -c 'select 1'"`);
    expect((await login("stranger", "stranger")).text).toContain("no pg_hba.conf entry");
    expect((await login("postgres", "stranger")).text).toContain("no pg_hba.conf entry");
  });

  test("a setting has the given value", async () => {
    const written = new Written(postgresSetting);
    await write({ [`${CONFIG}/conf.d/gate.conf`]: written.lines((text, index) => `gate.v${index} = ${text}`) });
    await control("restart");
    written.expect(
      await ask(`SELECT json_agg(current_setting('gate.v' || n) ORDER BY n)
        FROM generate_series(0, ${written.texts.length - 1}) AS n`),
    );
  });
});

test("a setting of Valkey has the given value", async () => {
  const written = new Written(valkeySetting);
  await write(
    written.files(
      (index) => `/run/gate-${index}.conf`,
      (text, index) => `port 0\nunixsocket /run/gate-${index}.sock\nsave ""\nlogfile /dev/null\nsyslog-ident ${text}\n`,
    ),
  );
  const read = await lab.sh(`for n in $(seq 0 ${written.texts.length - 1}); do
      valkey-server /run/gate-$n.conf >/run/gate-$n.log 2>&1 &
      for again in $(seq 1000); do [ -S /run/gate-$n.sock ] || sleep 0.01; done
      valkey-cli -s /run/gate-$n.sock --json config get syslog-ident 2>/dev/null || echo '{}'
      kill $! 2>/dev/null || true
    done`);
  written.expect(read.split("\n").map((line) => JSON.parse(line)["syslog-ident"]));
});

test("Caddy reads a token unchanged", async () => {
  const written = new Written(caddy);
  const headers = written.lines((text, index) => `\t\tV${index} ${text}`);
  await write({ "/run/gate.caddy": `:80 {\n\theader {\n${headers}\t}\n}\n` });
  const adapted = await lab.sh(
    "caddy adapt --adapter caddyfile --config /run/gate.caddy 2>/run/gate.log || cat /run/gate.log",
  );
  const { set } = JSON.parse(adapted).apps.http.servers.srv0.routes[0].handle[0].response;
  written.expect(written.texts.map((_, index) => set[`V${index}`]?.[0]));
});
