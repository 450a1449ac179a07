# Leaves packages out of a file of pins: awk -v left_out="uv hf-xet" -f without.awk requirements.txt
BEGIN {
    count = split(left_out, names, " ")
    for (each = 1; each <= count; each++) unwanted[names[each]] = 1
}
/^[a-z]/ {
    split($1, parts, /==|\[|;/)
    kept = !(parts[1] in unwanted)
}
kept
