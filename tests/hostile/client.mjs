// Node's fetch as it comes. Arguments: the API, a key, then triples of path, how the body is sent, body.
const [base, key, ...rest] = process.argv.slice(2);
for (let at = 0; at < rest.length; at += 3) {
  const [path, how, body] = rest.slice(at, at + 3);
  const headers = { Authorization: `Bearer ${key}` };
  const request = { headers };
  if (how !== "get") {
    headers["Content-Type"] = "application/json";
    request.method = "POST";
    request.body = how === "length" ? body : new Blob([body]).stream();
    request.duplex = "half";
  }
  const answer = await fetch(base + path, request);
  console.log(`${answer.status} ${(await answer.text()).replaceAll("\n", " ")}`);
}
