// A script for sh that finds the Python of a series in an image: %post runs it, and the check before a build does. Pure.

/** Sets `python` to the first interpreter of the series, or to an empty text if the image has none. */
export function pythonSearch(pythonSeries: string): string {
  return `python=
for directory in $(echo "$PATH" | tr ':' ' ') /usr/local/bin /usr/bin /opt/conda/bin; do
  for name in python${pythonSeries} python3 python; do
    if [ -z "$python" ] && [ -x "$directory/$name" ] &&
      [ "$("$directory/$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = '${pythonSeries}' ]
    then python="$directory/$name"; fi
  done
done`;
}
