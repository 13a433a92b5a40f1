"""Real proxies in front of an API, as people put them there. `None` where they are not installed."""

import asyncio
import shutil
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

#: With connections to the API that requests share, and upgrades passed on, as pages on WebSockets recommend.
_NGINX: Final = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $http_upgrade $passed_on {{ default upgrade; '' ''; }}
    upstream api {{ server {api}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $passed_on;
            proxy_request_buffering off;
            proxy_buffering off;
        }}
        location /plain/ {{ proxy_pass http://{api}/; }}
    }}
}}
"""
_HAPROXY: Final = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option http-keep-alive
    http-reuse always
frontend public
    bind 127.0.0.1:{port}
    default_backend api
backend api
    server one {api}
"""
PROXIES: Final = ("nginx", "haproxy")


@asynccontextmanager
async def proxy(name: str, api_url: str, directory: Path) -> AsyncGenerator[str | None]:
    """A proxy before the API; its url, or None where it is not installed. nginx has the API below `/plain/` once more,
    as it does without settings: by HTTP/1.0."""
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = directory / f"{name}.conf"
    text = {"nginx": _NGINX, "haproxy": _HAPROXY}[name]
    configuration.write_text(text.format(directory=directory, port=port, api=urlparse(api_url).netloc))
    arguments = {"nginx": ["-p", str(directory), "-c"], "haproxy": ["-db", "-f"]}[name]
    log = directory / f"{name}.out"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, str(configuration), stdout=output, stderr=output
        )
    try:
        async with asyncio.timeout(20):
            while not await _listens(port):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
