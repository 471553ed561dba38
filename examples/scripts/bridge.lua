-- bridge.lua: writes what is said to a log of its own, a line each, for other programs to follow:
--   tail -F …/opentalk/logs/bridge.log
-- and shows what matters of it wherever you are.
ot.register { version = "1.0", description = "writes what is said to a log", needs = { "notify" } }

local config = ot.config { round = "", notify = false }

local function line(m)
  local text = m.text:gsub("\n", "\\n")
  return ("%s %s <%s> %s"):format(ot.date("%F %T", m.written), m.round, m.from, text)
end

ot.on("message", function(m)
  if config.round ~= "" and m.round ~= config.round then return end
  ot.log.info(line(m))
  if config.notify and m.live then ot.notify(m.from .. ": " .. m.text) end
end)

ot.on("sent", function(m)
  if m.state == "sent" and (config.round == "" or m.round == config.round) then ot.log.info(line(m)) end
end)

function test_one_line_each()
  ot.test.receive { from = "bob", text = "two\nlines" }
  local logged = ot.test.logged()
  assert(#logged == 1 and logged[1]:find([[friends <bob> two\nlines]], 1, true))
end
