// Keys of a [Container] section that open something of the host to a container. A plan names each.

interface Opening {
  fits: RegExp;
  such: string;
  /** What the plan calls it. */
  words: (value: string) => string;
}

export const OPENING: Readonly<Record<string, Opening>> = {
  AddCapability: {
    fits: /^(CAP_)?(?!ALL$)[A-Z]+(_[A-Z]+)*$/,
    such: "one capability such as NET_RAW; a list for several",
    words: (value) => `has the capability ${value.replace(/^CAP_/, "")}`,
  },
  AddDevice: {
    fits: /^-?\/dev(\/(?!\.\.?(\/|:|$))[\w.+-]+)+(:\/dev(\/(?!\.\.?(\/|:|$))[\w.+-]+)+)?(:[rwm]{1,3})?$/,
    such: "a device of the host such as /dev/dri/renderD128 or /dev/ttyUSB0:/dev/modem:rw",
    words: (value) => `has the device ${value.replace(/^-/, "")}`,
  },
};
