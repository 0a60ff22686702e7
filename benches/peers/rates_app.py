"""The body of /api/rates from FastAPI: `ARB_BODY=FILE uvicorn rates_app:app`."""

import json
import os
from pathlib import Path

from fastapi import FastAPI

app = FastAPI()
RATES = json.loads(Path(os.environ["ARB_BODY"]).read_text())


@app.get("/api/rates")
async def rates():
    return RATES
