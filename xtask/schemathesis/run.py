"""Asks every service what its OpenAPI document allows and forbids, as every role. Called by `cargo xtask schemathesis`.

Arguments: the program `st`, the address of the platform, the file of demo accounts (JSON lines), the password, examples per operation.
"""

import base64, hashlib, hmac, json, re, struct, subprocess, sys, time, urllib.error, urllib.request

SERVICES = ["customer", "supplier", "employee", "core"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method"
# Streams have no end; what ends the session that asks, or its account, is left to the visitor.
STREAMS = r"/live$"
OWN_END = r"/core/(session|sessions|sessions/\{id\}|password|totp.*|recovery-codes|audit/verify)$|/customer/erasure$"


def code(secret, at):
    """The TOTP of a secret in base32, as in RFC 6238."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start:start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def cookies(base, account, password):
    """The cookies of a new session; a code is good once, so a second session waits for the next."""
    for _ in range(4):
        form = {"email": account["email"], "password": password}
        if account.get("totp_secret"):
            form["code"] = code(account["totp_secret"], time.time())
        request = urllib.request.Request(f"{base}/api/core/session", json.dumps(form).encode(), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                return "; ".join(cookie.split(";")[0] for cookie in answer.headers.get_all("set-cookie"))
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise SystemExit(f"{account['role']} cannot sign in: {error.code} {error.read().decode()}")
            time.sleep(31)
    raise SystemExit(f"{account['role']} cannot sign in")


def main():
    st, base, accounts, password, examples = sys.argv[1:]
    accounts = {a["role"]: a for a in map(json.loads, open(accounts)) if "role" in a}
    failed, asked = [], 0
    for role in ["visitor", *sorted(accounts)]:
        for service in SERVICES:
            words = [st, "run", f"{base}/api/{service}/openapi.json", "--checks", CHECKS, "--max-examples", examples, "--request-timeout", "20",
                     "--generation-deterministic", "--no-color", "--suppress-health-check", "all", "--continue-on-failure",
                     "--phases", "examples,coverage,fuzzing"]
            if role == "visitor":
                words += ["--exclude-path-regex", STREAMS]
            else:
                words += ["--exclude-path-regex", f"{STREAMS}|{OWN_END}", "--header", f"Cookie: {cookies(base, accounts[role], password)}"]
            began = time.time()
            run = subprocess.run(words, capture_output=True, text=True)
            said = run.stdout + run.stderr
            cases = sum(int(n) for n in re.findall(r"(\d[\d,]*) (?:generated|test cases)", said.replace(",", "")))
            asked += cases
            print(f"{service:9} as {role:9} {'ok' if run.returncode == 0 else 'FAILED'}, {cases} cases, {time.time() - began:.0f} s", flush=True)
            if run.returncode != 0:
                failed.append(f"{service} as {role}")
                print(said[-12000:], flush=True)
    print(f"{asked} cases, {len(failed)} failures")
    sys.exit(1 if failed else 0)


main()
