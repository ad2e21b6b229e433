// Databases and caches of known images become the platform's PostgreSQL and a Valkey of the app.
import type { DraftApp, DraftContainer } from "./draft.ts";
import type { Place } from "./findings.ts";
import { type Store, storeOf } from "./stores.ts";
import { nameOf } from "./words.ts";

export interface Natives {
  postgres?: { database?: string };
  valkey?: { maxmemory?: string };
}

/** Takes the stores out of an app, and points the variables of the other containers to the platform's. */
export function takeNatives(app: DraftApp): Natives {
  const natives: Natives = {};
  for (const [name, container] of app.containers) {
    const store = storeOf(container.entry.image ?? "");
    const place = container.places.get("image") as Place;
    if (store === undefined || container.entry.files !== undefined) continue;
    if (natives[store]) {
      container.changed(place, "image", `stays a container: an app has one ${store}`);
      continue;
    }
    app.containers.delete(name);
    natives[store] = store === "postgres" ? postgresOf(app, container, place) : valkeyOf(app, container, place);
  }
  return natives;
}

function postgresOf(app: DraftApp, container: DraftContainer, place: Place): { database?: string } {
  const { environment = {}, command = [] } = container.entry;
  const user = environment.POSTGRES_USER ?? "postgres";
  const given = environment.POSTGRES_DB ?? user;
  const database = nameOf(given);
  container.changed(
    place,
    "image",
    `is now the platform's PostgreSQL: copy the data with pg_dump, and restore it with pg_restore --no-owner --role=${app.name}`,
  );
  if (command.length > 0)
    container.lost(
      container.places.get("command") ?? place,
      "command",
      "settings of the server are in gatehouse:postgres.settings",
    );
  const password = container.secretValues.get("POSTGRES_PASSWORD");
  const socket = `host=/run/postgresql&user=${app.name}`;
  rewrite(app, container, "postgres", (value, key) => {
    const [, scheme, path = given] =
      /^(postgres(?:ql)?(?:\+\w+)?):\/\/[^/]*(?:\/([\w-]+))?(?:\?.*)?$/.exec(value) ?? [];
    if (scheme) return `${scheme}:///${path === given ? database : path}?${socket}`;
    if (container.names.has(value)) return "/run/postgresql";
    if (container.names.has(value.replace(/:\d+$/, ""))) return "/run/postgresql";
    if (password && value === password) return null;
    if (value === user && /user|role/i.test(key)) return app.name;
    return value === given && /db|database|name/i.test(key) ? database : undefined;
  });
  return database === app.name ? {} : { database };
}

function valkeyOf(app: DraftApp, container: DraftContainer, place: Place): { maxmemory?: string } {
  const words = container.entry.command ?? [];
  const socket = `/run/valkey-${app.name}/valkey.sock`;
  container.changed(place, "image", "is now a Valkey of the app, without a password: it begins empty");
  const after = (option: string) => words[words.indexOf(option) + 1];
  const size = words.includes("--maxmemory") ? after("--maxmemory") : undefined;
  const known = ["redis-server", "valkey-server", "--maxmemory", size, "--requirepass"];
  const others = words.filter((word, index) => !known.includes(word) && words[index - 1] !== "--requirepass");
  if (others.length > 0)
    container.lost(
      container.places.get("command") ?? place,
      "command",
      `has settings that an app's Valkey does not take: ${others.join(" ")}`,
    );
  rewrite(app, container, "valkey", (value) => {
    const [, , index = ""] = /^(redis|valkey)s?:\/\/[^/]*(?:\/(\d+))?/.exec(value) ?? [];
    if (/^(redis|valkey)s?:\/\//.test(value)) return `unix://${socket}${index && index !== "0" ? `?db=${index}` : ""}`;
    return container.names.has(value) || container.names.has(value.replace(/:\d+$/, "")) ? socket : undefined;
  });
  const maxmemory = size && /^\d+(kb|mb|gb)$/i.test(size) ? size.toLowerCase() : undefined;
  return maxmemory ? { maxmemory } : {};
}

/**
 * Replaces the values of variables in the other containers. `replace` returns the new value, null for a variable that is
 * not needed any more, or undefined for one that has nothing to do with the store.
 */
function rewrite(
  app: DraftApp,
  store: DraftContainer,
  kind: Store,
  replace: (value: string, key: string) => string | null | undefined,
): void {
  for (const container of app.containers.values()) {
    if (container === store) continue;
    const values = new Map([...Object.entries(container.entry.environment ?? {}), ...container.secretValues]);
    for (const [key, value] of values) {
      const mentions = [...store.names].some(
        (name) =>
          value === name || value.startsWith(`${name}:`) || value.includes(`@${name}`) || value.includes(`//${name}`),
      );
      const next = replace(value, key);
      if (next === undefined || (!mentions && /:\/\//.test(value))) continue;
      const place = container.places.get(`environment.${key}`) ?? container.places.get(`secretEnvironment.${key}`);
      if (!place) continue;
      delete container.entry.environment?.[key];
      delete container.entry.secretEnvironment?.[key];
      container.secretValues.delete(key);
      if (next === null) {
        container.changed(place, key, `is left out: ${kind} knows the account of the app, and needs no password`);
        continue;
      }
      container.entry.environment ??= {};
      container.entry.environment[key] = next;
      container.changed(
        place,
        key,
        `is now ${next}: see in the documentation of the app whether it takes a socket there`,
      );
    }
  }
}
