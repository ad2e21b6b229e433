import { rendered } from "./render.ts";

/** What opens and closes the folder of a server's socket. Each server has its own, which comes and goes with its release. */
export const socketFolder = (server: string) => {
  const place = "usr/local/libexec/gatehouse";
  return rendered(`/${place}/${server}-socket-folder`, "root:root", "0755", `${place}/socket-folder`, {});
};
