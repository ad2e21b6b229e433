// Attacks by an application, from its own database, on a privileged session: a backup, a drill, a restore.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Attacked } from "./support/host.ts";

let host: Attacked;
beforeAll(async () => {
  host = await Attacked.host();
  await host.lab.awaits("systemctl is-active gatehouse-backup.service | grep -qxE 'inactive|failed'");
  await host.lab.sh(
    "if systemctl is-failed --quiet gatehouse-backup; then journalctl --unit gatehouse-backup; exit 1; fi",
  );
  await host.lab.sh("mkdir -p /var/lib/prometheus/node-exporter");
  await host.sql("victim", VICTIM);
});
afterAll(() => clean());

/** A directory that the server can write within its sandbox, and PostgreSQL's account outside of it. */
const MARKS = "/var/log/postgresql";

/** Ordinary data, with the objects that a careful application defines. */
const VICTIM = `
  CREATE TABLE author (id int PRIMARY KEY, name text NOT NULL CHECK (length(name) > 1));
  CREATE FUNCTION positive(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
  CREATE DOMAIN pages AS int CHECK (public.positive(VALUE));
  CREATE TABLE book (id serial PRIMARY KEY, author int REFERENCES author, title text UNIQUE, pages pages, at timestamptz DEFAULT now(),
    price money, long text GENERATED ALWAYS AS (title || '!') STORED);
  CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$;
  CREATE INDEX ON book (lower(title)) WHERE public.positive(pages);
  CREATE STATISTICS ON lower(title), author FROM book;
  INSERT INTO author VALUES (1, 'Ada'), (2, 'Bob');
  INSERT INTO book (author, title, pages, price) SELECT 1 + n % 2, 'book ' || n, n, n FROM generate_series(1, 500) n;
  CREATE TRIGGER bump BEFORE INSERT ON book FOR EACH ROW EXECUTE FUNCTION bump();
  CREATE MATERIALIZED VIEW thick AS SELECT * FROM public.book WHERE pages > 400;
  CREATE VIEW thin AS SELECT * FROM public.book WHERE pages < 100;
  SELECT lo_from_bytea(4711, 'large');`;

/**
 * The body of a function that leaves a mark if it runs as the superuser, and otherwise behaves normally. Immutable
 * functions cannot run COPY themselves, but may call functions that do.
 */
const shows = (name: string, value: string) =>
  `$f$ BEGIN BEGIN PERFORM public."show ${name}"(); EXCEPTION WHEN OTHERS THEN NULL; END; RETURN ${value}; END $f$`;
const shown = (name: string) => `CREATE FUNCTION public."show ${name}"() RETURNS void LANGUAGE plpgsql AS
  $f$ BEGIN EXECUTE $q$COPY (SELECT current_user, session_user) TO PROGRAM 'cat >>${MARKS}/pwned-${name}'$q$; END $f$;`;
const trap = (name: string, signature: string, value: string, more = "IMMUTABLE") =>
  `CREATE OR REPLACE FUNCTION ${signature} LANGUAGE plpgsql ${more} AS ${shows(name, value)};`;
const marks = () => host.lab.sh(`cd ${MARKS} && ls pwned-* 2>/dev/null || true`);
const clean = () => host.lab.sh(`rm -f ${MARKS}/pwned-*`);

/** Each trap: the objects that the application creates, and the superuser's query that would spring it. */
const TRAPS: Record<string, { made: string; sprung: string }> = {
  cast: {
    made: `CREATE TABLE bait (id int, t text); INSERT INTO bait VALUES (1, 'x');
      ${trap("cast", "bait_text(r bait) RETURNS text", "'x'")} CREATE CAST (bait AS text) WITH FUNCTION bait_text(bait);`,
    sprung: "SELECT t.*::public.bait::text FROM ONLY public.bait t",
  },
  format: {
    made: trap("format", "public.format(text, name, name) RETURNS text", "'pg_catalog.pg_class'"),
    sprung: "SELECT format('%I.%I', nspname, nspname) FROM pg_namespace",
  },
  "search-path": {
    made: `${trap("search-path", "public.current_database() RETURNS name", "'evil'::name")} ALTER DATABASE evil SET search_path = public, pg_catalog;`,
    sprung: "SELECT current_database()",
  },
  operator: {
    made: `${trap("operator", "public.same(name, name) RETURNS bool", "true")} CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same);`,
    sprung: "SET search_path = public, pg_catalog; SELECT FROM pg_class WHERE relname = 'bait'::name",
  },
  index: {
    made: `CREATE TABLE indexed (id int); INSERT INTO indexed VALUES (1); CREATE FUNCTION folded(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
      CREATE INDEX ON indexed (folded(1)); ${trap("index", "folded(int) RETURNS int", "$1")}`,
    sprung: "SELECT count(*) FROM public.indexed WHERE id = 1",
  },
  predicate: {
    made: `CREATE TABLE predicated (id int); INSERT INTO predicated VALUES (1); CREATE FUNCTION kept(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
      CREATE INDEX ON predicated (id) WHERE kept(1) = 1; ${trap("predicate", "kept(int) RETURNS int", "$1")}`,
    sprung: "SELECT count(*) FROM public.predicated WHERE id = 1",
  },
  statistics: {
    made: `CREATE TABLE counted (id int); INSERT INTO counted VALUES (1); CREATE FUNCTION known(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
      CREATE STATISTICS ON (known(1) + id), id FROM counted; ${trap("statistics", "known(int) RETURNS int", "$1")}`,
    sprung: "SELECT count(*) FROM public.counted WHERE id = 1",
  },
  check: {
    made: `CREATE FUNCTION allowed(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
      CREATE TABLE checked (id int CHECK (allowed(1) AND id > 0)); INSERT INTO checked VALUES (1); ${trap("check", "allowed(int) RETURNS bool", "true")}
      ALTER DATABASE evil SET constraint_exclusion = on;`,
    sprung: "SET constraint_exclusion = on; SELECT count(*) FROM public.checked WHERE id = 1",
  },
  rows: {
    made: `CREATE TABLE many (id int); INSERT INTO many SELECT generate_series(1, 9); CREATE FUNCTION each_row(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
      CREATE INDEX ON many (each_row(id)); ${trap("rows", "each_row(int) RETURNS int", "$1")}`,
    sprung: "SELECT public.each_row(id) FROM public.many",
  },
  domain: {
    made: `CREATE FUNCTION fine(int) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE DOMAIN own AS int CHECK (public.fine(VALUE));
      CREATE TABLE owned (id own); INSERT INTO owned VALUES (1); ${trap("domain", "fine(int) RETURNS bool", "true", "")}`,
    sprung: "SELECT 1::public.own",
  },
  generated: {
    made: `CREATE FUNCTION made(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE TABLE generated (id int, other int GENERATED ALWAYS AS (made(id)) STORED,
      third int DEFAULT public.made(3)); INSERT INTO generated VALUES (1); ${trap("generated", "made(int) RETURNS int", "$1")}`,
    sprung: "INSERT INTO public.generated VALUES (2)",
  },
  trigger: {
    made: `CREATE TABLE watched (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES watched); INSERT INTO watched VALUES (1);
      CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS ${shows("trigger", "NEW")};
      CREATE TRIGGER seen BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION seen(); ALTER TABLE watched ENABLE ALWAYS TRIGGER seen;`,
    sprung: "INSERT INTO public.watched VALUES (2)",
  },
  view: {
    made: `CREATE FUNCTION shown() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE MATERIALIZED VIEW cached AS SELECT public.shown() AS n;
      CREATE VIEW live AS SELECT public.shown() AS n; ${trap("view", "shown() RETURNS int", "1", "")}`,
    sprung: "SELECT * FROM public.live",
  },
  superuser: {
    made: `CREATE FUNCTION chk(int) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE TABLE bait2 (id int CHECK (chk(id))); INSERT INTO bait2 VALUES (1);
      CREATE OR REPLACE FUNCTION chk(int) RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN
        RESET ROLE; RESET SESSION AUTHORIZATION;
        BEGIN EXECUTE 'ALTER ROLE evil SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN EXECUTE $q$COPY (SELECT current_user) TO PROGRAM 'cat >>${MARKS}/pwned-superuser'$q$; EXCEPTION WHEN OTHERS THEN NULL; END;
        RETURN true; END $f$;`,
    sprung: "BEGIN; INSERT INTO public.bait2 VALUES (2); ROLLBACK; ALTER ROLE evil NOSUPERUSER",
  },
};

interface Answer {
  status: number;
  text: string;
  name: string;
  incomplete: Record<string, string>;
}
async function backUp(): Promise<Answer> {
  const { status, text } = await host.lab.try("gatehouse backup");
  const said = /^\{.*\}$/m.exec(text)?.[0] ?? "{}";
  const { backup, incomplete } = JSON.parse(said);
  return { status, text, name: backup, incomplete };
}
// biome-ignore lint/suspicious/noExplicitAny: the test checks the record
const record = async (name: string): Promise<any> =>
  JSON.parse(await host.lab.sh(`cat /var/lib/gatehouse/repositories/*/${name}.json`));

/** The victim's data is complete and compared, whatever the attacker does. */
async function victimIsWhole({ status, text, name, incomplete }: Answer): Promise<void> {
  expect(status, text).toBe(0);
  expect(Object.keys(incomplete).filter((whose) => !/evil/.test(whose))).toEqual([]);
  const { tables, moved, folders } = await record(name);
  expect(tables.victim["public.book"][0]).toBe(500);
  expect(tables.victim["pg_catalog.pg_largeobject"][0]).toBe(1);
  expect(moved.filter((database: string) => database !== "evil")).toEqual([]);
  expect(folders["app-victim/volumes"]).toBeDefined();
}

describe("an application's code in its database", () => {
  let taken: Answer;
  beforeAll(async () => {
    for (const [name, { made }] of Object.entries(TRAPS)) await host.sql("evil", shown(name) + made);
    await clean();
    taken = await backUp();
  });
  afterAll(() => host.operator("ALTER DATABASE evil RESET ALL"));

  test("does not run in a backup, which is complete for all databases", async () => {
    expect(await marks()).toBe("");
    await victimIsWhole(taken);
    expect(taken.incomplete).toEqual({});
    expect(Object.keys((await record(taken.name)).tables.evil)).toContain("public.bait");
  });

  test("does not run in a drill or an inspection of the host", async () => {
    for (const words of ["drill", "status", "verify", "backups"]) {
      const { status, text } = await host.lab.try(`gatehouse ${words}`);
      expect(status, text).toBe(0);
    }
    expect(await marks()).toBe("");
  });

  test("does not run in a step of a release that is applied again", async () => {
    const { status, text } = await host.apps.up();
    expect(status, text).toBe(0);
    expect(await marks()).toBe("");
  });

  test("does not run as superuser when the database is restored alone, with its complete contents", async () => {
    const { status, text } = await host.lab.try("gatehouse restore --to latest --database evil");
    expect(status, text).toBe(0);
    expect(await marks()).toBe("");
    expect(await host.operator("SELECT rolsuper FROM pg_roles WHERE rolname = 'evil'")).toBe("f");
    for (const table of ["bait", "indexed", "checked", "owned", "generated", "watched", "bait2", "cached"])
      expect(
        await host.operator(
          `COPY (SELECT count(*) FROM pg_class WHERE relname = '${table}' AND relowner = 'evil'::regrole) TO STDOUT`,
          "evil",
        ),
        table,
      ).toBe("1");
    expect(await host.sql("evil", "SELECT other FROM generated")).toBe("[(1,)]");
    expect(await host.operator("SELECT string_agg(DISTINCT rolname, ' ') FROM pg_roles WHERE rolsuper")).toBe(
      "postgres",
    );
  });

  // Otherwise the tests above would pass even with a careless agent.
  test.each(Object.entries(TRAPS))("would run as superuser if it were called: %s", async (name, { sprung }) => {
    const settings =
      name === "search-path" ? "SET search_path = public, pg_catalog; " : "SET search_path = pg_catalog, public; ";
    await host.operator(`${settings}${sprung}`, "evil");
    expect(await marks()).toContain(`pwned-${name}`);
  });
});

describe("the checksums of a backup", () => {
  test("include each column of a table, whatever its name is", async () => {
    await host.sql("victim", "CREATE TABLE tee (t int, secret text); INSERT INTO tee VALUES (1, 'a')");
    const before = await record((await backUp()).name);
    await host.sql("victim", "UPDATE tee SET secret = 'b'");
    const after = await record((await backUp()).name);
    expect(after.tables.victim["public.tee"][0]).toBe(1);
    expect(after.tables.victim["public.tee"][1]).not.toBe(before.tables.victim["public.tee"][1]);
    expect(after.tables.victim["public.book"]).toEqual(before.tables.victim["public.book"]);
  });

  test("are found for names and rows that look like something else", async () => {
    await host.sql(
      "evil",
      `CREATE TABLE "a""b \\ 'c
        :d" (x text); INSERT INTO "a""b \\ 'c
        :d" VALUES (E'\\\\.'), (E'\\n00000\\n'), (repeat('x', 300000)); CREATE SCHEMA "pg-like"; CREATE TABLE "pg-like"."select" ()`,
    );
    const taken = await backUp();
    await victimIsWhole(taken);
    expect(taken.incomplete).toEqual({});
    const { tables } = await record(taken.name);
    expect(Object.entries(tables.evil).find(([name]) => name.includes('a""b'))?.[1]).toEqual([3, expect.any(String)]);
    const { status, text } = await host.lab.try("gatehouse drill");
    expect(status, text).toBe(0);
  });
});

describe("changes by the owner of a database", () => {
  afterAll(() =>
    host.operator(
      "ALTER DATABASE evil IS_TEMPLATE false; ALTER DATABASE evil ALLOW_CONNECTIONS true; ALTER DATABASE evil RESET ALL",
    ),
  );

  test("settings of any kind do not change the session of a backup, or the rows that it reads", async () => {
    const before = await record((await backUp()).name);
    await host.sql(
      "evil",
      `DO $$ DECLARE s record; v text; BEGIN
        FOR s IN SELECT * FROM pg_settings WHERE context IN ('user', 'backend') LOOP
          FOREACH v IN ARRAY CASE s.vartype WHEN 'bool' THEN ARRAY[CASE s.setting WHEN 'on' THEN 'off' ELSE 'on' END]
            WHEN 'enum' THEN s.enumvals WHEN 'string' THEN ARRAY['C', 'GMT+3', 'SQL, DMY', 'public'] ELSE ARRAY[s.min_val, '1'] END LOOP
            BEGIN EXECUTE format('ALTER DATABASE evil SET %I = %L', s.name, v); EXCEPTION WHEN OTHERS THEN NULL; END;
          END LOOP;
        END LOOP;
        ALTER DATABASE evil SET role = 'evil';
        ALTER DATABASE evil SET session_authorization = 'evil';
        ALTER DATABASE evil SET local_preload_libraries = 'nothing';
      END $$`,
    );
    const taken = await backUp();
    await victimIsWhole(taken);
    expect(taken.incomplete).toEqual({});
    const after = await record(taken.name);
    expect(after.tables.evil).toEqual(before.tables.evil);
    const { status, text } = await host.lab.try("gatehouse drill");
    expect(status, text).toBe(0);
    await host.operator("ALTER DATABASE evil RESET ALL");
  });

  test("a lock that is held forever costs some seconds, and only the owner's own tables", async () => {
    await host.sql(
      "evil",
      "CREATE TABLE locked_1 (); CREATE TABLE locked_2 (); CREATE TABLE locked_3 (); CREATE TABLE free (id int)",
    );
    const held = await busy(
      "c.autocommit = False; q.execute('LOCK TABLE locked_1, locked_2, locked_3 IN ACCESS EXCLUSIVE MODE')",
    );
    const began = Date.now();
    const taken = await backUp();
    expect(Date.now() - began).toBeLessThan(35_000);
    await held.end();
    await victimIsWhole(taken);
    expect(taken.incomplete["database evil"]).toMatch(
      /public\.locked_1 \(another session holds a lock on it\), .*locked_2 .*locked_3/,
    );
    const { tables } = await record(taken.name);
    expect(Object.keys(tables.evil)).toContain("public.free");
    expect(Object.keys(tables.evil)).not.toContain("public.locked_1");
    expect((await host.lab.try("gatehouse status")).text).toContain("the newest backup is incomplete: database evil: ");
    expect(
      await host.lab.sh(
        "sed -n 's/^gatehouse_backup_incomplete_parts //p' /var/lib/prometheus/node-exporter/gatehouse.prom",
      ),
    ).toBe("1");
    const { status, text } = await host.lab.try("gatehouse drill");
    expect(status, text).toBe(0);
    expect(text).toContain("incomplete: database evil: ");
  });

  test("a transaction that stays open spoils nothing, and each later one only its own comparison", async () => {
    await host.sql("evil", "CREATE TABLE written (id int)");
    const open = await busy("c.autocommit = False; q.execute('INSERT INTO written VALUES (1)')");
    const quiet = await backUp();
    await victimIsWhole(quiet);
    expect((await record(quiet.name)).moved).toEqual([]);
    await open.end();
    const writing = await busy(
      "q.execute('DO $$ BEGIN LOOP INSERT INTO written VALUES (1); COMMIT; PERFORM pg_sleep(0.001); END LOOP; END $$')",
    );
    const taken = await backUp();
    await writing.end();
    await victimIsWhole(taken);
    expect((await record(taken.name)).moved).toEqual(["evil"]);
    const { status, text } = await host.lab.try("gatehouse drill");
    expect(status, text).toBe(0);
  });

  test("a database that allows no connections, or is a template, fails only its own part", async () => {
    await host.sql("evil", "CREATE TABLE unseen (id int); ALTER DATABASE evil IS_TEMPLATE true");
    const template = await backUp();
    await victimIsWhole(template);
    expect(template.incomplete).toEqual({});
    expect(Object.keys((await record(template.name)).tables.evil)).toContain("public.unseen");
    await host.operator("ALTER DATABASE evil ALLOW_CONNECTIONS false");
    const taken = await backUp();
    await victimIsWhole(taken);
    expect(taken.incomplete).toEqual({
      "database evil": expect.stringContaining("not currently accepting connections"),
    });
    const { status, text } = await host.lab.try("gatehouse drill");
    expect(status, text).toBe(0);
    await host.operator("ALTER DATABASE evil IS_TEMPLATE false; ALTER DATABASE evil ALLOW_CONNECTIONS true");
  });
});

describe("an application that opens every connection it can", () => {
  const SERVER = "SELECT setting FROM pg_settings WHERE name = 'max_connections'";
  const EVERY = `all = [c]
while len(all) < 1000:
    try: all.append(psycopg2.connect('host=/run/postgresql dbname=evil user=evil'))
    except psycopg2.OperationalError: break`;
  const HELD = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'evil'";

  test("gets half of them: others can log in, and their parts of a backup are complete", async () => {
    const half = Math.floor((Number(await host.operator(SERVER)) + 1) / 2);
    const taking = await busy(EVERY);
    expect(Number(await host.operator(HELD))).toBe(half);
    expect(await host.sql("victim", "SELECT count(*) FROM book WHERE id <= 500")).toBe("[(500,)]");
    const taken = await backUp();
    await taking.end();
    await victimIsWhole(taken);
    expect(taken.incomplete).toEqual({});
  });

  test("cannot change that limit", async () => {
    await expect(host.sql("evil", "ALTER ROLE evil CONNECTION LIMIT 1000")).rejects.toThrow(/permission denied/);
    await host.sql("evil", "ALTER DATABASE evil CONNECTION LIMIT 1000");
    expect(await host.operator("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'evil'")).not.toBe("1000");
  });

  test("does not stop a backup if an operator allows it all connections", async () => {
    const limit = await host.operator("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'evil'");
    await host.operator("ALTER ROLE evil CONNECTION LIMIT -1");
    const taking = await busy(EVERY);
    const taken = await backUp();
    await taking.end();
    await host.operator(`ALTER ROLE evil CONNECTION LIMIT ${limit}`);
    expect(taken.status, taken.text).toBe(0);
    expect(Object.keys(taken.incomplete).filter((part) => !part.startsWith("database "))).toEqual([]);
    expect((await record(taken.name)).folders["app-victim/volumes"]).toBeDefined();
  });
});

describe("a database that is restored alone", () => {
  test("is restored exactly: constraints, owners that may not log in or have no connection left, extensions, objects of a superuser, grants", async () => {
    await host.operator(
      `CREATE ROLE second LOGIN; GRANT CONNECT ON DATABASE victim TO second; CREATE ROLE crew NOLOGIN; GRANT crew TO victim;
      \\c victim
      GRANT USAGE, CREATE ON SCHEMA public TO second; CREATE EXTENSION citext; CREATE TABLE noted (word citext PRIMARY KEY); INSERT INTO noted VALUES ('A');
      GRANT SELECT ON noted TO victim;
      SET ROLE victim; CREATE SCHEMA shelf; GRANT REFERENCES, SELECT ON book TO second; GRANT USAGE, CREATE ON SCHEMA shelf TO second;
      ALTER DEFAULT PRIVILEGES IN SCHEMA shelf GRANT SELECT ON TABLES TO second; RESET ROLE;
      SET ROLE second; CREATE FUNCTION shelf.odd(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 % 2 = 1';
      CREATE TABLE shelf.lent (book int REFERENCES public.book CHECK (shelf.odd(book))); INSERT INTO shelf.lent VALUES (1), (3);
      RESET ROLE; CREATE TABLE shelf.crews (n int CHECK (n > 0)); INSERT INTO shelf.crews VALUES (7); ALTER TABLE shelf.crews OWNER TO crew;
      GRANT USAGE, CREATE ON SCHEMA shelf TO crew; GRANT SELECT ON shelf.crews TO victim; ALTER ROLE second CONNECTION LIMIT 0;`,
    );
    const facts = () =>
      host.operator(
        `SELECT relname, relowner::regrole, relacl FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'shelf'::regnamespace) AND relkind IN ('r', 'm', 'v', 'S', 'i') ORDER BY 1;
         SELECT conname, contype, convalidated FROM pg_constraint WHERE connamespace IN ('public'::regnamespace, 'shelf'::regnamespace) ORDER BY 1;
         SELECT md5(string_agg(b::text, ',' ORDER BY id)) FROM public.book b; SELECT count(*) FROM public.thick; SELECT * FROM shelf.lent; SELECT * FROM public.noted;
         SELECT lo_get(4711); SELECT lomowner::regrole FROM pg_largeobject_metadata; SELECT nspname, nspowner::regrole, nspacl FROM pg_namespace WHERE nspname IN ('public', 'shelf');
         SELECT proname, proowner::regrole FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'shelf'::regnamespace) AND proowner <> 10 ORDER BY 1;
         SELECT defaclrole::regrole, defaclacl FROM pg_default_acl; SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal; SELECT extname FROM pg_extension ORDER BY 1;
         SELECT datacl FROM pg_database WHERE datname = 'victim'`,
        "victim",
      );
    const before = await facts();
    const { name } = await backUp();
    expect(before).toContain("crews|crew|");
    await host.sql("victim", "DELETE FROM book WHERE id > 5");
    const { status, text } = await host.lab.try(`gatehouse restore --to ${name} --database victim`);
    expect(status, text).toBe(0);
    expect(await facts()).toBe(before);
    expect(await host.operator("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'gatehouse%'")).toBe("0");
    expect(await host.sql("victim", "SELECT count(*) FROM book")).toBe("[(500,)]");
    await host.sql("victim", "INSERT INTO book (author, title, pages) VALUES (1, 'after', 7)");
    await expect(host.sql("victim", "INSERT INTO book (pages) VALUES (-7)")).rejects.toThrow(
      /violates check constraint/,
    );
  });

  test("accepts connections only from PostgreSQL's own account", async () => {
    const login = (role: string) =>
      host.as("evil", `psql -Xh /run/postgresql -U ${role} -d x_restored_20260101000000 -c 'SELECT 1'`);
    expect((await login("gatehouse_loads")).text).toContain("Peer authentication failed");
    expect((await login("victim")).text).toContain("no pg_hba.conf entry");
  });

  test("is refused if an owner's name cannot be distinguished from that of its objects", async () => {
    await host.operator(
      'CREATE ROLE "two words"; CREATE TABLE public.apart (); ALTER TABLE public.apart OWNER TO "two words"',
      "evil",
    );
    const { name } = await backUp();
    const { status, text } = await host.lab.try(`gatehouse restore --to ${name} --database evil`);
    expect(status, text).toBe(1);
    expect(text).toContain('database evil has owners with a space in their names: "two words"; rename them');
    expect(await host.operator("SELECT count(*) FROM pg_database WHERE datname LIKE 'evil_restored_%'")).toBe("0");
    await host.operator('DROP TABLE public.apart; DROP ROLE "two words"', "evil");
  });

  test("is refused if a superuser's table would call the application's code", async () => {
    await host.operator(
      "CREATE TABLE public.operators (n public.own); INSERT INTO public.operators VALUES (1)",
      "evil",
    );
    const { name } = await backUp();
    await clean();
    const { status, text } = await host.lab.try(`gatehouse restore --to ${name} --database evil`);
    expect(status, text).toBe(1);
    expect(text).toContain("objects of a superuser cannot use objects of an application");
    expect(await marks()).toBe("");
    expect(await host.operator("SELECT count(*) FROM pg_database WHERE datname LIKE 'evil_restored_%'")).toBe("0");
    await host.operator("DROP TABLE public.operators", "evil");
  });
});

/** Runs SQL in the attacker's container until it is ended. */
async function busy(program: string): Promise<{ end(): Promise<void> }> {
  const path = "/tmp/busy.py";
  await host.inside(
    "evil",
    `open('${path}', 'w').write(${JSON.stringify(`import psycopg2, time\nc = psycopg2.connect('host=/run/postgresql dbname=evil user=evil')\nc.autocommit = True\nq = c.cursor()\n${program}\nopen('/tmp/ready', 'w')\ntime.sleep(3600)\n`)})`,
  );
  await host.lab.sh(`podman exec --detach app-evil python3 ${path}; sleep 2`);
  const end = `import os, signal\nfor p in filter(str.isdigit, os.listdir('/proc')):\n    if '${path}' in open(f'/proc/{p}/cmdline').read(): os.kill(int(p), signal.SIGKILL)`;
  // Otherwise the server would continue its current statements.
  const left = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'evil'";
  return { end: async () => void [await host.inside("evil", end), await host.operator(left)] };
}
