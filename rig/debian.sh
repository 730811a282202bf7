# What the rig/get-... scripts share: Debian's packages in a private folder, without root.
# Sourced, never run. Whoever sources it sets: name, for the messages; title and size, what is fetched and how much that
# is; cache, the folder; suite, Debian's release; and defines give_up, which ends with a sentence.
#
# Under pipefail a reader that stops early (grep -q, head, awk's exit) makes its writer die of SIGPIPE, now and then, and
# so the whole line fail: what is piped here is read to its end.
# shellcheck shell=bash disable=SC2154

say() { printf '%s: %s\n' "$name" "$*" >&2; }

need_tools() {
  local tool
  for tool in apt-get apt-config dpkg dpkg-deb tar awk; do
    command -v "$tool" >/dev/null || give_up "there is no usable $name here, and no $tool to fetch one with."
  done
}

# The address of a Debian mirror, from apt's own reading of its configuration (both file formats).
mirror() {
  [[ -z ${ROUTING_ENGINE_MIRROR:-} ]] || { echo "$ROUTING_ENGINE_MIRROR"; return; }
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Identifier: Packages' 2>/dev/null |
    awk '!found && $2 == "main" && $1 ~ /debian/ && $1 !~ /security|backports/ { print $1; found = 1 }'
}

# An apt of our own in the folder $1: nothing of the host's is read but its keys and its proxy.
private_apt() {
  mkdir -p "$1"/{etc/parts,keys,state/lists/partial,cache/archives/partial}
  : >"$1/state/status"
  cp /usr/share/keyrings/debian-archive-*.gpg /etc/apt/trusted.gpg.d/*.{asc,gpg} "$1/keys/" 2>/dev/null || true
  echo "deb $2 $suite main" >"$1/etc/sources.list"
  {
    apt-config dump | grep -iE '^Acquire::(https?|ftp)::(proxy|verify|cainfo|timeout)' || true
    printf '%s "%s";\n' Dir::State "$1/state" Dir::State::status "$1/state/status" Dir::Cache "$1/cache" \
      Dir::Etc "$1/etc" Dir::Etc::parts "$1/etc/parts" Dir::Etc::sourceparts "$1/etc/parts" \
      Dir::Etc::trustedparts "$1/keys" APT::Architecture "$(dpkg --print-architecture)"
    # A mirror frozen at one day is as good as a live one; apt's own user may not be allowed into the folder.
    printf '%s;\n' 'Acquire::Check-Valid-Until "false"' 'APT::Sandbox::User ""' 'Acquire::Languages "none"' \
      'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false"' 'APT::Install-Recommends "false"' \
      'Debug::NoLocking "true"' 'Acquire::Retries "2"'
  } >"$1/apt.conf"
  export APT_CONFIG=$1/apt.conf
}

# The package index of the suite, into the apt of the folder $1.
read_index() {
  local address
  address=$(mirror)
  [[ -n $address ]] || give_up 'apt on this machine knows no Debian mirror; ROUTING_ENGINE_MIRROR may name one.'
  private_apt "$1" "$address"
  share_lists "$1"
  is_fresh || fetch_lists "$1" ||
    give_up "the package index could not be read: $(tail -n 2 "$1/log" | tr '\n' ' ')"
  exec 8>&-
}

# The index lies beside the caches, for all scripts that run within an hour: one reads it, the others wait for that.
share_lists() {
  lists=${cache%/*}/index/$suite
  mkdir -p "$lists/partial"
  printf 'Dir::State::Lists "%s";\n' "$lists" >>"$1/apt.conf"
  exec 8>"$lists.lock"
  flock 8
}

is_fresh() { [[ -n $(find "$lists" -name '*_Packages*' -mmin -60) ]]; }

fetch_lists() {
  say "reading the package index of Debian $suite (10 MB)"
  rm -f "$lists"/*_*
  # apt calls an unreachable mirror a warning, so what it brought is looked at too.
  apt-get -qq update >"$1/log" 2>&1 && compgen -G "$lists/*_Packages*" >/dev/null && touch "$lists"/*_Packages*
}

# What lies in the apt $1, into the folder $2.
unpack() {
  local package
  say 'unpacking'
  mkdir -p "$2"
  for package in "$1"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$2" --no-same-owner --exclude=./usr/share/doc \
      --exclude=./usr/share/man --exclude=./usr/share/locale
  done
}

# The first of the files that a pattern names; nothing, when it names none.
first_file() { [[ ! -e $1 ]] || echo "$1"; }

# A starter in the folder $1, with the name of the program $2, on the unpacked libraries, wherever the folder is moved to.
# Further words go before those of the caller; they may name $libs, the folder of the libraries.
write_wrapper() {
  local root=$1 program=$2 folder loader
  shift 2
  folder=$(cd "$root" && dirname usr/lib/*/libc.so.6)
  loader=$(cd "$root" && first_file "$folder"/ld-linux-*.so.*)
  cat >"$root/${program##*/}" <<WRAPPER
#!/bin/sh
# Written by rig/get-$name: a program out of Debian's packages, on its own libraries.
here=\$(dirname "\$(readlink -f "\$0")")
libs=\$here/$folder
exec "\$here/$loader" --library-path "\$libs:\$libs/pulseaudio" "\$here/$program" $* "\$@"
WRAPPER
  chmod 755 "$root/${program##*/}"
}

# Builds (the function build, into the folder it is given) what is not in the cache as $1; one run at a time.
# A folder is never changed once it is there, and none is taken away: what runs out of another one, made by another
# version of these scripts, goes on running.
keep_in_cache() {
  umask 022
  mkdir -p "$cache" 2>/dev/null && [[ -w $cache ]] ||
    give_up "$cache cannot be written; ROUTING_ENGINE_CACHE may name another folder."
  exec 9>"$cache/lock"
  flock -n 9 || { say "waiting for another run that is fetching $name"; flock 9; }
  is_ready "$1" && return
  rm -rf "$cache"/new.*
  need_tools
  work=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$work"' EXIT # so work is no local name: it outlives the function
  build "$work/apt" "$work/unpacked"
  chmod -R u+w,a+rX "$work/unpacked"
  mv "$work/unpacked" "$cache/$1"
  say "ready in $cache"
}

is_ready() { [[ -d $cache/$1 ]]; }

# Brings the folder $1 of the cache and prints it. With a second word (--missing) it only says what would be fetched.
bring() {
  if [[ -n ${2:-} ]]; then
    is_ready "$1" || echo "$title ($size)"
    return
  fi
  is_ready "$1" || keep_in_cache "$1"
  echo "$cache/$1"
}

# What the folder is called, from all that says what is in it: the files named, and this one.
stamp_of() { cat "$@" "$here/debian.sh" | cksum | tr ' ' '-'; }
