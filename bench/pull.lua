-- Random keys for wrk; see pull.py. Arguments: PATH KEYS
local path, keys
local bodies = {}
function init(args)
  path, keys = args[1], tonumber(args[2])
  math.randomseed(os.time() + tonumber(tostring({}):match("0x(%x+)"), 16) % 1000003)
  wrk.headers["Content-Type"] = "application/json"
end
function request()
  local field = path == "/query" and "ksql" or "sql"
  local body = '{"' .. field .. '":"SELECT * FROM counts WHERE id = ' .. math.random(0, keys - 1) .. ';"}'
  return wrk.format("POST", path, nil, body)
end
local wrong = 0
function response(status, headers, body)
  if status ~= 200 then wrong = wrong + 1 end
end
