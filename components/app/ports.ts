// The ports of an app: where its containers listen, and where the host publishes them.
import { z } from "zod";
import { port, text } from "../schema/scalars.ts";

export const LOOPBACK = "127.0.0.1";
/** All addresses of the host. */
export const ALL = "*";

/** Ports below this one are a program's only if the kernel was set so; that is done inside of containers. */
export const FIRST_UNPRIVILEGED = 1024;

const ADDRESS = /^(\*|((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d))$/;

export const ports = z
  .array(
    z.strictObject({
      port: port.meta({ description: "Port on which the container listens." }),
      publish: port.optional().meta({ description: "Port of the host. Without it, the same number as `port`." }),
      protocol: z.enum(["tcp", "udp"]).default("tcp"),
      address: text("an IPv4 address of the host, or * for all of them", ADDRESS).default(LOOPBACK),
    }),
  )
  .default([]);

/** A port on which a container listens, and where the host publishes it. */
export interface Published {
  port: number;
  publish: number;
  protocol: "tcp" | "udp";
  address: string;
  /** Keys of the container that set `publish` and `port`. */
  keys: { publish: readonly (string | number)[]; port: readonly (string | number)[] };
}

interface Ports {
  port?: number | undefined;
  publish?: number | undefined;
  ports: z.output<typeof ports>;
}

export const publishedPorts = ({ port, publish, ports }: Ports): Published[] => [
  ...(port === undefined
    ? []
    : [
        {
          port,
          publish: publish ?? port,
          protocol: "tcp" as const,
          address: LOOPBACK,
          keys: { publish: [publish === undefined ? "port" : "publish"], port: ["port"] },
        },
      ]),
  ...ports.map((one, index) => {
    const keys = { publish: ["ports", index], port: ["ports", index] };
    return { ...one, publish: one.publish ?? one.port, keys };
  }),
];

/** Such as 127.0.0.1:3000/tcp, as in `listens` of a manifest. */
export const listening = ({ address, publish, protocol }: Omit<Published, "keys" | "port">): string =>
  `${address}:${publish}/${protocol}`;

/** Whether the host cannot publish both. */
export const collide = (one: Omit<Published, "keys" | "port">, other: Omit<Published, "keys" | "port">): boolean =>
  one.publish === other.publish &&
  one.protocol === other.protocol &&
  [one.address, other.address].some((address, _, [first, second]) => address === ALL || first === second);
