// Healthy = this member is PRIMARY, so it takes writes. The replica set is made here, once, and only when mongod itself
// says that there is none: initiating at every probe, or calling a member healthy before its election, are the usual faults.
const fs = require("fs");

function probe() {
  const password = fs.readFileSync("/run/secrets/mongo_root_password", "utf8").trim();
  db.getSiblingDB("admin").auth("root", password);
  try {
    return rs.status().myState === 1;
  } catch (error) {
    if (error.codeName === "NotYetInitialized") {
      rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "mongo:27017" }] });
    }
    return false;
  }
}

let healthy = false;
try {
  healthy = probe();
} catch (error) {
  print(error.codeName || error.name); // never the message: it can hold what was sent
}
quit(healthy ? 0 : 1);
