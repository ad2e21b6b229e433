// Database numbers for applications that share one Valkey. 0, the default of a connection, is reserved.

/** Faults in the database numbers of applications. */
export function allotmentFaults(databases: Record<string, number>, count: number): { name: string; fault: string }[] {
  const holders = new Map<number, string>();
  return Object.entries(databases).flatMap(([name, number]) => {
    const holder = holders.get(number);
    holders.set(number, holder ?? name);
    if (number === 0) return [{ name, fault: `database 0 is reserved; the next free one is ${nextFree(databases)}` }];
    if (number < 0 || number >= count)
      return [
        {
          name,
          fault: `database ${number} does not exist: there are ${count}, numbered from 0 (valkey.databaseCount)`,
        },
      ];
    if (holder)
      return [
        { name, fault: `database ${number} already belongs to ${holder}; the next free one is ${nextFree(databases)}` },
      ];
    return [];
  });
}

/** The lowest unused number from 1 on. */
export function nextFree(databases: Record<string, number>): number {
  const taken = new Set(Object.values(databases));
  let number = 1;
  while (taken.has(number)) number++;
  return number;
}
