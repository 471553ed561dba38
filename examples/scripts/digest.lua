-- digest.lua: once a day, tells who said how much where, and who mentioned you.
ot.register { version = "1.0", description = "tells what a day brought", needs = { "storage", "history" } }

local config = ot.config { at = "18:00", mentions = 5 }

ot.on("message", function(m)
  local day = ot.store.get("day", { rounds = {}, mentions = {} })
  local round = day.rounds[m.round] or {}
  round[m.from] = (round[m.from] or 0) + 1
  day.rounds[m.round] = round
  if m.mention and #day.mentions < config.mentions then
    day.mentions[#day.mentions + 1] = ("%s in %s: %s"):format(m.from, m.round, m.text:sub(1, 200))
  end
  ot.store.set("day", day)
end)

local function digest()
  local day, lines = ot.store.get("day"), {}
  if not day then return { "a quiet day" } end
  for round, people in pairs(day.rounds) do
    local total, list = 0, {}
    for who, n in pairs(people) do
      total = total + n
      list[#list + 1] = ("%s %d"):format(who, n)
    end
    table.sort(list)
    lines[#lines + 1] = ("%s: %d messages (%s)"):format(round, total, table.concat(list, ", "))
  end
  table.sort(lines)
  for _, m in ipairs(day.mentions) do lines[#lines + 1] = "you: " .. m end
  return lines
end

ot.command { name = "digest", help = "tells what the day has brought so far", run = digest }

-- Looks once a minute: a timer of a day would miss its time when the machine sleeps.
ot.timer(60, function()
  local today = ot.date("%F")
  if ot.date("%R") >= config.at and ot.store.get("told") ~= today then
    ot.store.set("told", today)
    print(table.concat(digest(), "\n"))
    ot.store.delete("day")
  end
end, { every = true })

function test_counts()
  assert(ot.test.command("/digest")[1] == "a quiet day")
  ot.test.receive { from = "bob", text = "hello" }
  ot.test.receive { from = "eve", text = "me: tea?", mention = true }
  local lines = ot.test.command("/digest")
  assert(lines[1] == "friends: 2 messages (bob 1, eve 1)")
  assert(lines[2] == "you: eve in friends: me: tea?")
end
