"""The description of the API as the program serves it. Usage: openapi_json.py YAML VERSION JSON"""
import json
import sys

import yaml

source, version, target = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    description = yaml.safe_load(file)
description["info"]["version"] = version
with open(target, "w", encoding="utf-8") as file:
    json.dump(description, file, ensure_ascii=False, separators=(",", ":"))
    file.write("\n")
