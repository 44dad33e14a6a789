#!/bin/sh
# nginx with nchan, as its README shows a channel that many follow. nchan.sh PORT
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'kill "$!" 2>/dev/null' TERM INT
cat >"$folder/nginx.conf" <<CONF
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
worker_processes 1;
pid $folder/nginx.pid;
error_log stderr warn;
events { worker_connections 10000; }
http {
  access_log off;
  client_body_temp_path $folder; proxy_temp_path $folder; fastcgi_temp_path $folder; uwsgi_temp_path $folder;
  scgi_temp_path $folder;
  nchan_shared_memory_size 64M;
  server {
    listen 127.0.0.1:$1;
    location ~ ^/pub/(.+)$ { nchan_publisher; nchan_channel_id \$1; nchan_message_buffer_length 1000; }
    location ~ ^/sub/(.+)$ {
      nchan_subscriber;
      nchan_channel_id \$1;
      nchan_subscriber_first_message newest;
    }
  }
}
CONF
nginx -p "$folder" -c "$folder/nginx.conf" &
wait "$!"
